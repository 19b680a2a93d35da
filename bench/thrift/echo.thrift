namespace cpp bench

struct Block {
  1: binary body
}

service Echo {
  // Answers with the same block.
  Block Call(1: Block block),

  // A block in one direction, which nobody answers.
  oneway void Give(1: Block block),

  // Answers how many blocks were given since it was last asked.
  i64 Given()
}
