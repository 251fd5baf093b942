//! How the balance is followed from line to line, and where it breaks.

use super::*;

fn money(text: &str) -> Money {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_else(|error| panic!("{error}"))
}

fn line(second: i64, before: &str, change: &str, after: &str) -> SeenEntry {
    let (direction, amount) = match change.strip_prefix('-') {
        Some(amount) => (Direction::Out, amount),
        None => (Direction::In, change),
    };
    SeenEntry {
        id: second,
        word: "FLEXY".to_owned(),
        direction: Some(direction),
        amount: money(amount),
        before: Some(money(before)),
        after: Some(money(after)),
        subject: None,
        at: Some(at(second)),
    }
}

fn followed(lines: Vec<SeenEntry>) -> Followed {
    let mut chain = Chain::new((at(100), at(200)));
    for line in lines {
        chain.push(line);
    }
    chain.finish()
}

fn jumps(lines: Vec<SeenEntry>) -> Vec<(String, bool)> {
    let gaps = followed(lines).gaps;
    gaps.iter()
        .map(|gap| (gap.jump().to_string(), gap.is_within))
        .collect()
}

#[test]
fn a_whole_chain_adds_up_and_its_edges_do_not_count() {
    let whole = followed(vec![
        line(50, "0", "1000", "1000"),
        line(110, "1000", "-500", "500"),
        line(120, "500", "-100.5", "399.5"),
        line(130, "399.50", "500", "899.50"),
        line(250, "899.50", "-1", "7"),
    ]);
    assert!(whole.gaps.is_empty(), "{:?}", whole.gaps);
    let equation = whole.equation.unwrap_or_else(|| panic!("no equation"));
    assert_eq!(
        (equation.opening, equation.closing, equation.difference()),
        (money("1000"), money("899.5"), Money::ZERO)
    );
}

#[test]
fn a_gap_is_named_with_its_size() {
    let lines = vec![line(110, "1000", "-500", "500"), line(120, "400", "-100", "300")];
    assert_eq!(jumps(lines), [("-100".to_owned(), false)]);
    let lines = vec![line(50, "1000", "-500", "500"), line(120, "400", "-100", "300")];
    assert_eq!(
        jumps(lines).len(),
        1,
        "the line before the range is what it is held against"
    );
}

#[test]
fn a_line_that_does_not_add_up_is_named() {
    let lines = vec![line(110, "1000", "-500", "480"), line(120, "480", "-80", "400")];
    assert_eq!(jumps(lines), [("-20".to_owned(), true)]);
}

#[test]
fn half_a_centime_is_rounding() {
    let lines = vec![
        line(110, "1000", "-100.2475", "899.75"),
        line(120, "899.75", "-1", "898.75"),
    ];
    assert!(jumps(lines).is_empty());
    let lines = vec![line(110, "1000", "-100.24", "899.75")];
    assert_eq!(jumps(lines).len(), 1);
}

#[test]
fn lines_of_one_moment_are_put_in_the_order_of_their_balances() {
    let lines = vec![
        line(110, "1000", "-500", "500"),
        line(111, "300", "-100", "200"),
        line(111, "500", "-200", "300"),
    ];
    assert!(jumps(lines).is_empty());
}

/// Balances come back to where they were, and the list shows one moment in any order.
#[test]
fn lines_of_one_moment_in_any_order_are_no_gap() {
    let moment = [
        line(110, "1000", "-500", "500"),
        line(110, "500", "500", "1000"),
        line(110, "1000", "-100", "900"),
        line(110, "900", "-400", "500"),
        line(110, "500", "-50", "450"),
    ];
    let behind = line(150, "450", "-50", "400");
    for turn in 0..moment.len() {
        for is_reversed in [false, true] {
            for first in [None, Some(line(105, "1100", "-100", "1000"))] {
                let mut lines = moment.to_vec();
                lines.rotate_left(turn);
                if is_reversed {
                    lines.reverse();
                }
                lines.push(behind.clone());
                let all = followed(first.into_iter().chain(lines).collect());
                assert!(all.gaps.is_empty(), "{turn} {is_reversed}: {:?}", all.gaps);
                let difference = all.equation.map(|equation| equation.difference());
                assert_eq!(difference, Some(Money::ZERO));
                assert_eq!(all.equation.map(|equation| equation.closing), Some(money("400")));
            }
        }
    }
}

#[test]
fn a_round_at_the_beginning_ends_where_the_next_line_goes_on() {
    for turn in 0..2 {
        let mut round = [line(110, "1000", "-500", "500"), line(110, "500", "500", "1000")];
        round.rotate_left(turn);
        for next in [line(120, "500", "-1", "499"), line(120, "1000", "-1", "999")] {
            let lines = round.iter().cloned().chain([next]).collect();
            assert!(jumps(lines).is_empty(), "{turn}");
        }
    }
}

#[test]
fn a_moment_that_lacks_a_line_is_one_gap_in_any_order() {
    let moment = [
        line(110, "1000", "-100", "900"),
        line(110, "800", "-100", "700"),
        line(110, "700", "-100", "600"),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let first = line(105, "1001", "-1", "1000");
        let lines = [first]
            .into_iter()
            .chain(order.map(|place| moment[place].clone()));
        assert_eq!(jumps(lines.collect()), [("-100".to_owned(), false)], "{order:?}");
    }
}

#[test]
fn a_line_that_moves_no_money_is_one_gap_of_its_amount() {
    for copied_at in [110, 115, 120] {
        let copy = line(copied_at, "1000", "-500", "500");
        let mut lines = vec![
            line(110, "1000", "-500", "500"),
            line(111, "500", "-200", "300"),
            line(130, "300", "-100", "200"),
            line(140, "200", "-100", "100"),
            copy,
        ];
        lines.sort_by_key(|line| line.at);
        assert_eq!(jumps(lines), [("500".to_owned(), false)], "{copied_at}");
    }
}

#[test]
fn lines_without_balances_are_counted_and_break_nothing() {
    let mut bare = line(115, "0", "-5", "0");
    (bare.before, bare.after) = (None, None);
    let known = followed(vec![
        line(110, "1000", "-500", "500"),
        bare,
        line(120, "495", "-95", "400"),
    ]);
    assert_eq!((known.bare, known.gaps.len()), (1, 0));
}
