//! The stopwatch: warms up, measures, says when it is time to stop.

use crate::options::{Mode, Options};
use crate::process::Usage;
use std::time::{Duration, Instant};

/// Says when a call was made, if its time is taken.
#[derive(Clone, Copy, Debug)]
pub struct Mark(Option<Instant>);

/// Counts finished calls, takes the time of some.
#[derive(Clone, Debug)]
pub struct Recorder {
    options: Options,
    stride: u64,
    started: u64,
    finished: u64,
    warm_at: Instant,
    measuring: Option<Measuring>,
    over: bool,
}

#[derive(Clone, Debug)]
struct Measuring {
    began: Instant,
    ended: Instant,
    calls: u64,
    ours: Usage,
    server: Option<Usage>,
    nanos: Vec<u32>,
    report: Option<(Usage, Option<Usage>)>,
}

/// Holds what came out.
#[derive(Clone, Debug, Default)]
pub struct Report {
    fields: Vec<(&'static str, String)>,
}

impl Recorder {
    /// Starts warming up.
    pub fn new(options: &Options) -> Self {
        Self {
            stride: options.stride(),
            warm_at: Instant::now() + options.warmup,
            options: options.clone(),
            started: 0,
            finished: 0,
            measuring: None,
            over: false,
        }
    }

    /// A call is made.
    #[inline]
    pub fn start(&mut self) -> Mark {
        self.started += 1;
        Mark(self.started.is_multiple_of(self.stride).then(Instant::now))
    }

    /// A call has its answer. False: make no more.
    #[inline]
    pub fn finish(&mut self, mark: Mark) -> bool {
        self.finished += 1;
        if let Mark(Some(begun)) = mark {
            self.took(begun);
        }
        !self.over
    }

    /// So many calls have their answers, and nobody knows when they were made. False: make no more.
    pub fn finish_many(&mut self, calls: u64) -> bool {
        self.finished += calls;
        self.tell(Instant::now());
        !self.over
    }

    /// Returns whether it is time to stop.
    pub fn is_over(&self) -> bool {
        self.over
    }

    fn took(&mut self, begun: Instant) {
        let now = Instant::now();
        if let Some(measuring) = &mut self.measuring {
            let nanos = now.duration_since(begun).as_nanos();
            measuring.nanos.push(u32::try_from(nanos).unwrap_or(u32::MAX));
        }
        self.tell(now);
    }

    /// Begins or ends to measure when it is time.
    fn tell(&mut self, now: Instant) {
        match &mut self.measuring {
            None if now >= self.warm_at => self.measuring = Some(self.begin(now)),
            None => {}
            Some(measuring) if now >= measuring.began + self.options.seconds && !self.over => {
                self.over = true;
                measuring.ended = now;
                measuring.calls = self.finished - measuring.calls;
                let server = self.options.server_pid.and_then(Usage::of_process);
                measuring.report = Some((Usage::of_self(), server));
            }
            Some(_) => {}
        }
    }

    fn begin(&self, now: Instant) -> Measuring {
        Measuring {
            began: now,
            ended: now,
            calls: self.finished,
            ours: Usage::of_self(),
            server: self.options.server_pid.and_then(Usage::of_process),
            nanos: Vec::with_capacity(1 << 20),
            report: None,
        }
    }

    /// The results, once it is over.
    ///
    /// # Panics
    /// If nothing was measured.
    pub fn report(self) -> Report {
        let mut measuring = self.measuring.expect("it ran longer than it warmed up");
        let (ours, server) = measuring.report.expect("it ran until `finish` said no");
        let wall = measuring.ended.duration_since(measuring.began).as_secs_f64();
        let calls = measuring.calls as f64;
        let mut report = Report::of(&self.options);
        report.number("calls_per_s", calls / wall);
        measuring.nanos.sort_unstable();
        let at = |share: f64| {
            let nanos = &measuring.nanos;
            let index = ((nanos.len() as f64 * share) as usize).min(nanos.len().saturating_sub(1));
            nanos.get(index).map_or(0.0, |&nanos| f64::from(nanos) / 1e3)
        };
        if !measuring.nanos.is_empty() {
            report.number("p50_us", at(0.5));
            report.number("p99_us", at(0.99));
        }
        let for_a_million = |cpu: Duration| cpu.as_secs_f64() * 1e6 / calls.max(1.0);
        report.number("client_cpu_s_per_mcall", for_a_million(ours.cpu - measuring.ours.cpu));
        if let (Some(after), Some(before)) = (server, measuring.server) {
            report.number("server_cpu_s_per_mcall", for_a_million(after.cpu - before.cpu));
        }
        let bytes = match self.options.mode {
            Mode::Large => Some(crate::LARGE),
            Mode::Stream => Some(crate::CHUNK * crate::BATCH),
            _ => None,
        };
        if let Some(bytes) = bytes {
            report.number("mb_per_s", calls * bytes as f64 / wall / 1e6);
        }
        report
    }
}

impl Report {
    /// One that names the run and holds no results yet.
    pub fn of(options: &Options) -> Self {
        let mut report = Self::default();
        report.text("name", &options.name);
        report.text("mode", options.mode.word());
        report.number("window", options.window as f64);
        report.number("conns", options.conns as f64);
        report.number("idle", options.idle as f64);
        report
    }

    /// Adds a word.
    pub fn text(&mut self, name: &'static str, text: &str) {
        self.fields.push((name, format!("{text:?}")));
    }

    /// Adds a figure.
    pub fn number(&mut self, name: &'static str, value: f64) {
        let digits = if value.fract() == 0.0 { 0 } else { 3 };
        self.fields.push((name, format!("{value:.digits$}")));
    }

    /// Prints it as one line of JSON.
    pub fn print(&self) {
        let fields: Vec<_> =
            self.fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        println!("{{{}}}", fields.join(","));
    }
}
