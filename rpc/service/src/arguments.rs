//! Command lines: words, and the few options that every binary knows.

use super::Failure;
use peers_rpc::SyncCall;
use peers_rpc::kernel::Address;
use peers_rpc::wire::DecodeOwned;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The longest time-out: a hundred years, which the kernel's clock can count.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Holds what a binary says about its command line.
#[derive(Clone, Copy, Debug)]
pub struct Cli {
    /// Name of the binary.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The whole text of `--help`.
    pub help: &'static str,
    /// Flags of its own, without the dashes.
    pub flags: &'static [&'static str],
}

/// A command line, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    /// The words that are no options, in order.
    pub words: Vec<String>,
    /// `--timeout SECONDS`: zero is for ever.
    pub timeout: Option<Duration>,
    /// `--insecure`: listen where others can reach, and dial them, in clear text.
    pub insecure: bool,
    /// `--key FILE`, or `PEERS_KEY`: this process's key. All that listens is encrypted.
    pub key: Option<PathBuf>,
    /// `--allow FILE`: the list of keys that may come.
    pub allow: Option<PathBuf>,
    /// The binary's own flags that were given.
    pub flags: Vec<&'static str>,
}

impl Arguments {
    /// Reads this process's command line. `None` if it only asked for help or the version, which
    /// have been printed.
    ///
    /// # Errors
    /// An unknown option, or a time-out that is no number.
    pub fn from_env(cli: &Cli) -> Result<Option<Self>, Failure> {
        let read = Self::read(cli, std::env::args_os().skip(1))?;
        read.map(|arguments| arguments.with_key_of(std::env::var_os("PEERS_KEY"))).transpose()
    }

    fn read(cli: &Cli, words: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, Failure> {
        use lexopt::prelude::*;
        let mut arguments = Self::default();
        let mut parser = lexopt::Parser::from_args(words);
        let bad =
            |error: lexopt::Error| Failure::usage(format!("{error}; see {} --help", cli.name));
        while let Some(word) = parser.next().map_err(bad)? {
            match word {
                Short('h') | Long("help") => {
                    super::print_own(cli.help.trim_end())?;
                    return Ok(None);
                }
                Short('V') | Long("version") => {
                    super::print_own(&format!("{} {}", cli.name, cli.version))?;
                    return Ok(None);
                }
                Long("timeout") => {
                    let seconds = parser.value().and_then(|v| v.string()).map_err(bad)?;
                    arguments.timeout = Some(timeout(&seconds)?);
                }
                Long("insecure") => arguments.insecure = true,
                Long("key") => arguments.key = Some(parser.value().map_err(bad)?.into()),
                Long("allow") => arguments.allow = Some(parser.value().map_err(bad)?.into()),
                Long(flag) => match cli.flags.iter().find(|known| **known == flag) {
                    Some(known) => arguments.flags.push(known),
                    None => return Err(bad(word.unexpected())),
                },
                Value(word) => arguments.words.push(word.string().map_err(bad)?),
                Short(_) => return Err(bad(word.unexpected())),
            }
        }
        Ok(Some(arguments))
    }

    /// Takes the key of the environment if the command line names none, and looks whether the
    /// options go together.
    fn with_key_of(mut self, environment: Option<OsString>) -> Result<Self, Failure> {
        let of_environment = environment.filter(|file| !file.is_empty()).map(PathBuf::from);
        self.key = self.key.or(of_environment);
        // Who has a key must not be in clear text by accident.
        if self.key.is_some() && self.insecure {
            let text = "--key (PEERS_KEY) encrypts, --insecure does not: give one of them";
            return Err(Failure::usage(text));
        }
        if self.allow.is_some() && self.key.is_none() {
            return Err(Failure::usage("--allow is a list of keys: it needs --key FILE"));
        }
        Ok(self)
    }

    /// Returns the call with the time-out of the command line, or with its own if none was given.
    pub fn timed<T: DecodeOwned + Send + 'static>(&self, call: SyncCall<T>) -> SyncCall<T> {
        match self.timeout {
            Some(timeout) => call.within(timeout),
            None => call,
        }
    }

    /// Returns whether one of the binary's own flags was given.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }
}

/// Reads a number of seconds, decimals allowed; zero is for ever. What is less than the clock can
/// tell is one of its units, and no accident.
fn timeout(seconds: &str) -> Result<Duration, Failure> {
    let wrong = |why: &str| {
        let text = "--timeout takes seconds, such as 2.5, or 0 for ever";
        Failure::usage(format!("{text}, not {seconds:?}: {why}"))
    };
    let number: f64 = seconds.parse().map_err(|_| wrong("that is no number"))?;
    if !number.is_finite() {
        return Err(wrong("that is no number of seconds"));
    }
    if number < 0.0 {
        return Err(wrong("that has passed before it begins"));
    }
    let time = Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX);
    if time > LONGEST {
        return Err(wrong("that is too long to count"));
    }
    // Digits that vanish in the number itself were meant to be there as well.
    let none = !seconds.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(is_digit_but_0);
    Ok(if none { Duration::ZERO } else { time.max(Duration::from_nanos(1)) })
}

const fn is_digit_but_0(byte: u8) -> bool {
    matches!(byte, b'1'..=b'9')
}

impl Cli {
    /// Explains what is wrong with a command line that makes no sense, and what would make some.
    pub fn usage(&self, arguments: &Arguments) -> Failure {
        let words = arguments.words.join(" ");
        let Some(command) = arguments.words.first() else {
            return Failure::usage(format!("no command given\n\n{}", self.help.trim_end()));
        };
        let forms = self.forms(command);
        if forms.is_empty() {
            let help = self.help.trim_end();
            return Failure::usage(format!("no such command: {command}, in: {words}\n\n{help}"));
        }
        let (name, forms) = (self.name, forms.join("\n"));
        Failure::usage(format!(
            "arguments are missing, or too many: {words}\n\nUsage:\n{forms}\n\n{name} --help says more"
        ))
    }

    /// Returns the lines of the help that say how a command is written.
    fn forms(&self, command: &str) -> Vec<&'static str> {
        let is_form = |line: &&str| {
            let mut words = line.split_whitespace();
            line.starts_with("  ")
                && words.next() == Some(self.name)
                && words.next() == Some(command)
        };
        self.help.lines().filter(is_form).collect()
    }

    /// Reads addresses, or says what one looks like.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn addresses(&self, words: &[&str]) -> Result<Vec<Address>, Failure> {
        words.iter().map(|word| self.address(word)).collect()
    }

    /// Reads an address; the error of one that is none says what to write instead.
    ///
    /// # Errors
    /// When it is none.
    pub fn address(&self, word: &str) -> Result<Address, Failure> {
        word.parse().map_err(|error| Failure::usage(format!("{error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "demo: shows\n\nUsage:\n  demo serve one ADDRESS   one\n  demo serve two ADDRESS   two\n  demo get ADDRESS KEY     get\n";
    const CLI: Cli = Cli { name: "demo", version: "1", help: HELP, flags: &["count"] };

    fn read(line: &str) -> Result<Option<Arguments>, Failure> {
        Arguments::read(&CLI, line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_stand_anywhere() {
        let arguments = read("get --timeout 2.5 inet:localhost:5000 --count arrakis").unwrap();
        let arguments = arguments.unwrap();
        assert_eq!(arguments.words, ["get", "inet:localhost:5000", "arrakis"]);
        assert_eq!(arguments.timeout, Some(Duration::from_millis(2_500)));
        assert!(arguments.has("count") && !arguments.insecure);
    }

    #[test]
    fn a_key_and_no_encryption_exclude_each_other() {
        let environment = || Some(OsString::from("env.key"));
        let read = |line: &str| read(line).unwrap().unwrap().with_key_of(environment());
        assert_eq!(read("--key my.key").unwrap().key, Some("my.key".into()));
        assert_eq!(read("--allow friends").unwrap().key, Some("env.key".into()));
        for line in ["--insecure", "--key my.key --insecure"] {
            assert!(read(line).unwrap_err().text.contains("give one of them"), "{line}");
        }
        let bare = |line: &str| super::tests::read(line).unwrap().unwrap().with_key_of(None);
        assert_eq!(bare("--insecure").unwrap().key, None);
        assert!(bare("--allow friends --insecure").unwrap_err().text.contains("needs --key"));
    }

    #[test]
    fn zero_is_for_ever_and_nothing_else_is() {
        for line in ["--timeout 0", "--timeout 0.0", "--timeout=-0", "--timeout 0e9"] {
            assert_eq!(read(line).unwrap().unwrap().timeout, Some(Duration::ZERO), "{line}");
        }
        for line in
            ["--timeout 1e-10", "--timeout 1e-9", "--timeout 0.0000000001", "--timeout 1e-999"]
        {
            let least = Some(Duration::from_nanos(1));
            assert_eq!(read(line).unwrap().unwrap().timeout, least, "{line}");
        }
        let years = "--timeout 3153600000";
        assert_eq!(read(years).unwrap().unwrap().timeout, Some(LONGEST));
    }

    #[test]
    fn what_is_no_time_is_refused_with_words() {
        for time in
            ["-3", "-1e-10", "inf", "-inf", "nan", "soon", "", "3153600001", "1e300", "1e999"]
        {
            let failure = read(&format!("--timeout={time}")).unwrap_err();
            assert_eq!(failure.code, super::super::UNREACHED);
            let says = failure.text.contains("seconds") && failure.text.contains(time);
            assert!(says, "{}", failure.text);
        }
    }

    #[test]
    fn a_command_that_exists_is_not_called_unknown() {
        let said = |line: &str| CLI.usage(&read(line).unwrap().unwrap()).text;
        let get = said("get inet:localhost:5000");
        assert!(get.starts_with("arguments are missing, or too many: get inet:localhost:5000\n"));
        assert!(get.contains("demo get ADDRESS KEY") && !get.contains("serve"), "{get}");
        let serve = said("serve three a b c");
        assert!(serve.contains("serve one") && serve.contains("serve two"), "{serve}");
        assert!(said("fly to arrakis").starts_with("no such command: fly, in: fly to arrakis\n"));
        assert!(said("").starts_with("no command given\n"));
    }

    #[test]
    fn what_is_unknown_is_named() {
        assert!(read("--nonsense").unwrap_err().text.contains("--nonsense"));
        assert!(read("--timeout soon").unwrap_err().text.contains("soon"));
        assert!(read("--timeout nan").unwrap_err().text.contains("nan"));
    }
}
