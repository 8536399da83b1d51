//! Continuations that wait for bytes: each ends exactly once and from the queue, with what the
//! bytes make, whoever owns them, and whatever goes wrong while that is made.

mod support;

use peers_kernel::{Collect, Cont, FromBytes, Kernel, Lost, Receiver};
use std::io;
use support::{Trace, keep_log, logged};

type Outcome = Result<Vec<u8>, Lost>;

/// The outcome of reading bytes: the reader itself, its misfortune, or the news that they are none.
const COPY: FromBytes<Vec<u8>, Lost> =
    FromBytes { borrowed: |bytes, _| read(bytes), owned: |memory, _| take(memory) };

fn read(bytes: &[u8]) -> Outcome {
    match bytes {
        b"panic" => panic!("read something that nobody can read"),
        b"wrong" => Err(Lost::OwnerGone),
        _ => Ok(bytes.to_vec()),
    }
}

fn take(memory: &mut Vec<u8>) -> Outcome {
    read(memory).map(|_| std::mem::take(memory))
}

type Way = fn(Receiver<Lost>, &[u8]);

/// Both ways in which bytes come.
const WAYS: [Way; 2] = [
    |receiver, bytes| receiver.bytes(bytes, "a test"),
    |receiver, bytes| receiver.owned_bytes(&mut bytes.to_vec(), "a test"),
];

fn noting<T: Clone + PartialEq + std::fmt::Debug + 'static>(
    kernel: &Kernel,
    trace: &Trace<Result<T, Lost>>,
) -> Cont<T, Lost> {
    let trace = trace.clone();
    Cont::new(&kernel.handle(), move |outcome| trace.add(outcome))
}

#[test]
fn the_value_made_of_bytes_arrives_once_and_by_the_queue() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    for way in WAYS {
        let trace = Trace::new();
        for bytes in [&b"spice"[..], b"wrong", b"panic", b""] {
            way(noting(&kernel, &trace).receiver(&COPY), bytes);
        }
        noting(&kernel, &trace).receiver(&COPY).err(Lost::OwnerGone);
        drop(noting(&kernel, &trace).receiver(&COPY));
        assert_eq!(trace.len(), 0, "nothing runs inline");
        kernel.run()?;
        let (value, empty) = (Ok(b"spice".to_vec()), Ok(Vec::new()));
        let [wrong, gone] = [Err(Lost::OwnerGone), Err(Lost::OwnerGone)];
        let [panicked, dropped] = [Err(Lost::Panicked), Err(Lost::Dropped)];
        assert_eq!(trace.all(), [value, wrong, panicked, empty, gone, dropped]);
        assert_eq!(kernel.handle().dump().continuations(), 0);
    }
    Ok(())
}

#[test]
fn only_a_value_takes_the_owned_bytes() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    for (bytes, left) in [(&b"spice"[..], 0), (b"wrong", 5), (b"panic", 5)] {
        let (trace, mut memory) = (Trace::new(), bytes.to_vec());
        noting(&kernel, &trace).receiver(&COPY).owned_bytes(&mut memory, "a test");
        assert_eq!(memory.len(), left);
        kernel.run()?;
        assert_eq!(trace.len(), 1);
    }
    Ok(())
}

#[test]
fn a_branch_that_cannot_be_read_has_its_place_among_the_others() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    for way in WAYS {
        let trace = Trace::new();
        let gate = Collect::all(noting(&kernel, &trace));
        for bytes in [&b"spice"[..], b"panic", b"wrong", b"sand"] {
            way(gate.branch().receiver(&COPY), bytes);
        }
        drop((gate.branch().receiver(&COPY), gate));
        kernel.run()?;
        let outcomes = vec![
            Ok(b"spice".to_vec()),
            Err(Lost::Panicked),
            Err(Lost::OwnerGone),
            Ok(b"sand".to_vec()),
            Err(Lost::Dropped),
        ];
        assert_eq!(trace.all(), [Ok(outcomes)]);
        assert_eq!(kernel.handle().dump().continuations(), 0);
    }
    Ok(())
}

/// A value that is not wanted any more, and takes that badly.
#[derive(Clone, Debug, PartialEq)]
struct Sore(&'static str);

impl Drop for Sore {
    fn drop(&mut self) {
        assert_ne!(self.0, "late", "dropped a value that came late");
    }
}

#[test]
fn a_late_value_that_panics_on_drop_harms_nobody() -> io::Result<()> {
    const SORE: FromBytes<Sore, Lost> =
        FromBytes { borrowed: |_, _| Ok(Sore("late")), owned: |_, _| Ok(Sore("late")) };
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    for way in WAYS {
        let trace = Trace::<Result<Vec<Sore>, Lost>>::new();
        let gate = Collect::first_error(noting(&kernel, &trace));
        let (first, late) = (gate.branch(), gate.branch().receiver(&SORE));
        drop(gate);
        first.err(Lost::OwnerGone);
        way(late, b"spice");
        kernel.run()?;
        assert_eq!(trace.all(), [Err(Lost::OwnerGone)]);
    }
    Ok(())
}

#[test]
fn the_log_names_the_handler_whose_bytes_cannot_be_read() -> io::Result<()> {
    keep_log();
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let line = line!() + 1;
    let k = Cont::new(&kernel.handle(), |n: Outcome| assert_eq!(n, Err(Lost::Panicked)));
    k.receiver(&COPY).bytes(b"panic", "a test");
    kernel.run()?;
    let lines = logged("something that nobody can read");
    assert!(lines.iter().any(|text| text.contains(&format!("{}:{line}:", file!()))), "{lines:?}");
    Ok(())
}
