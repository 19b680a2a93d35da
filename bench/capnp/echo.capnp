@0xc5f1d3a0b7e94d26;

interface Echo {
  # Answers with the same block.
  call @0 (block :Data) -> (block :Data);

  # The same, and what the next call is to be made on: so the next one can leave before this one has answered.
  step @1 (block :Data) -> (block :Data, next :Echo);

  # Takes blocks, and says in the end how many came.
  collect @2 () -> (forth :Blocks);

  # Gives every block that comes forth back.
  talk @3 (back :Blocks) -> (forth :Blocks);
}

interface Blocks {
  put @0 (block :Data) -> stream;
  done @1 () -> (count :UInt64);
}
