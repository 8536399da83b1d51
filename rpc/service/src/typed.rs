//! Code that a demonstration shows as typed at a prompt, and runs: what is shown is what was
//! compiled.

use super::{Failure, print_own};

/// Shows code as if it were typed at a prompt, behind `> `, and runs it.
///
/// `failed` makes a [`Failure`] of whatever `?` in the code passes on; the failure leaves the
/// function around. Names of the program that stand for what a person would type there are listed
/// with their text.
///
/// ```
/// use peers_rpc::{Error, spawn_loop};
/// use peers_service::{Failure, typed};
///
/// fn session(address: &str) -> Result<(), Failure> {
///     let failed = |error: Error| Failure::usage(error.to_string());
///     // > let peers = spawn_loop()?;
///     typed!(failed => let peers = spawn_loop()?);
///     // > let endpoint = peers.connect("unix:/run/registry")?;
///     typed!(failed, [address: format!("{address:?}")] => let endpoint = peers.connect(address)?);
///     // > endpoint.close()?;
///     typed!(failed => endpoint.close()?;);
///     Ok(())
/// }
/// session("unix:/run/registry")?;
/// # Ok::<(), Failure>(())
/// ```
#[macro_export]
macro_rules! typed {
    (@run $failed:expr, $($code:tt)+) => {{
        let run = || ::std::result::Result::Ok({ $($code)+ });
        run().map_err($failed)?
    }};
    (@show [$($word:ident: $text:expr),*] $code:expr) => {
        $crate::print_typed($code, &[$((::std::stringify!($word), &$text)),*])?
    };
    ($failed:expr $(, [$($words:tt)*])? => let $name:ident = $($code:tt)+) => {
        $crate::typed!(@show [$($($words)*)?] ::std::concat!(
            "let ", ::std::stringify!($name), " = ", ::std::stringify!($($code)+), ";"
        ));
        let $name = $crate::typed!(@run $failed, $($code)+);
    };
    ($failed:expr $(, [$($words:tt)*])? => $($code:tt)+) => {{
        $crate::typed!(@show [$($($words)*)?] ::std::stringify!($($code)+));
        $crate::typed!(@run $failed, $($code)+)
    }};
}

/// Prints code behind a prompt, with other texts for some of its names. [`typed`] calls it.
///
/// # Errors
/// As of [`print_own`].
#[doc(hidden)]
pub fn print_typed(code: &str, words: &[(&str, &str)]) -> Result<(), Failure> {
    print_own(&format!("> {}", with_words(code, words)))
}

fn with_words(code: &str, words: &[(&str, &str)]) -> String {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut shown, mut rest, mut in_text) = (String::new(), code, false);
    while let Some(c) = rest.chars().next() {
        // Inside of a text a word is a word, and names begin at no digit.
        if in_text || !is_of_name(c) || c.is_ascii_digit() {
            in_text ^= c == '"';
            shown.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        let name = &rest[..end];
        let text = words.iter().find(|(word, _)| *word == name).map(|(_, text)| *text);
        shown.push_str(text.unwrap_or(name));
        rest = &rest[end..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::with_words;

    #[test]
    fn whole_names_are_replaced_outside_of_texts() {
        let code = r#"n.put("n value", value, my_n)?;"#;
        let shown = with_words(code, &[("n", "n4"), ("value", r#""dune""#)]);
        assert_eq!(shown, r#"n4.put("n value", "dune", my_n)?;"#);
    }

    #[test]
    fn code_is_shown_as_it_is_written() {
        let shown = stringify!(n.get("Maud'Dib").forever().then_or(wrap_left(my_cc, &x), f)?);
        assert_eq!(shown, r#"n.get("Maud'Dib").forever().then_or(wrap_left(my_cc, &x), f)?"#);
    }
}
