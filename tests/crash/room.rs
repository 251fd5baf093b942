pub fn scenes() -> Vec<libtest_mimic::Trial> { vec![] }
