# What is measured.
@0xd2f6c0a8e3b94571;

interface Bench {
  get @0 (key :Text) -> (value :Text);
  echo @1 (data :Data) -> (data :Data);
  push @2 (data :Data) -> ();
}
