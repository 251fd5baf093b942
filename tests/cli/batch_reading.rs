//! What is said of a sheet before it is sent: every repair, every row left out, and what the sheet itself contradicts.

use crate::sheet::number;
use crate::support::Shop;

/// Each repair adds a digit, so all of them can be seen; by default the first stand for them.
#[test]
fn verbose_lists_every_repair_and_every_row_left_out() {
    let shop = Shop::open();
    let sheet = (1..=60).fold(shop.sheet("november.csv"), |sheet, row| {
        sheet.row_of(&[number(row).trim_start_matches('0'), "500"])
    });
    let sheet = sheet.row("77812345,500").row("0778037340,1.000");
    let lines = |text: &str, word: &str| text.lines().filter(|line| line.contains(word)).count();
    let brief = sheet.typed(&["-n", "--skip-bad"]).expect_exit(0);
    assert_eq!(lines(&brief.stderr, "was put back"), 20, "{brief:?}");
    assert!(
        brief.stderr.contains("60 cells were repaired; `-v` shows all"),
        "{brief:?}"
    );
    for format in ["table", "json"] {
        let all = sheet
            .typed(&["-n", "-v", "--skip-bad", "-o", format])
            .expect_exit(0);
        assert_eq!(lines(&all.stderr, "was put back"), 60, "{all:?}");
        assert_eq!(lines(&all.stderr, "line 62"), 1, "{all:?}");
        assert_eq!(lines(&all.stderr, "line 63"), 1, "{all:?}");
    }
}

/// One cell of which two things are told is one cell.
#[test]
fn cells_are_counted_and_not_what_is_told_of_them() {
    let shop = Shop::open();
    let sheet = shop.sheet("november.csv").row("+٢١٣٧٧٨٠٣٧٣٤٠,500");
    let told = sheet.typed(&["-n"]).expect_exit(0);
    assert!(!told.stderr.contains("more cell"), "{told:?}");
    let told = sheet.batch(&["-n"]).expect_exit(0);
    assert_eq!(told.json()["noted"], 1, "{told:?}");
}

#[test]
fn a_plan_that_is_nearly_known_is_named_and_not_taken() {
    let shop = Shop::open();
    for plan in ["prepaid_djezzy", "PREPAID_DJEZY"] {
        let sheet =
            shop.sheet("november.csv")
                .columns("phone,amount,plan")
                .row_of(&["0778037340", "500", plan]);
        let refused = sheet.send().expect_exit(2).expect_no_post();
        assert!(
            refused.stderr.contains("did you mean `PREPAID_DJEZZY`?"),
            "{refused:?}"
        );
    }
    let sheet = shop
        .sheet("november.csv")
        .columns("phone,amount,plan")
        .row("0778037340,500,unlimited");
    let refused = sheet.send().expect_exit(2).expect_no_post();
    assert!(!refused.stderr.contains("did you mean"), "{refused:?}");
}

/// Either the number or the word beside it is wrong, and only people can tell which.
#[test]
fn a_number_that_contradicts_the_operator_beside_it_is_warned_of() {
    let shop = Shop::open();
    let sheet = shop
        .sheet("november.csv")
        .columns("phone,amount,Opérateur")
        .row("0778037340,500,Djezzy")
        .row("0778037341,500,MOBILIS")
        .row("0661234567,500,Nedjma")
        .row("0550123456,500,")
        .row("0550123457,500,???");
    let told = sheet.typed(&["-n"]).expect_exit(0);
    for (line, named, prefix) in [(3, "Mobilis", "Djezzy"), (4, "Ooredoo", "Mobilis")] {
        let warned = told.stderr.lines().any(|said| {
            said.starts_with("warning:")
                && said.contains(&format!("line {line}: the sheet names {named}"))
                && said.ends_with(prefix)
        });
        assert!(warned, "{told:?}");
    }
    assert_eq!(told.stderr.matches("the sheet names").count(), 2, "{told:?}");
    assert!(!told.stderr.contains("not used"), "{told:?}");
    let told = sheet.batch(&["-n"]).expect_exit(0);
    assert_eq!(told.json()["contradicted"], 2);
    // A number that moved takes its operator's plan along.
    let sheet = shop
        .sheet("moved.csv")
        .columns("phone,amount,plan,operator")
        .row("0778037341,500,PREPAID_MOBILIS,Mobilis");
    let told = sheet.typed(&["-n"]).expect_exit(0);
    assert!(!told.stderr.contains("the sheet names"), "{told:?}");
}

/// The header's quotes are looked at like those of the rows: nobody is left out in silence.
#[test]
fn customers_inside_the_quotes_of_a_header_refuse_the_sheet() {
    let shop = Shop::open();
    let text = "phone;amount;\"note\n0778037340;500;a\"\n0661234567;300;b\n";
    let written = std::fs::write(shop.home().join("s.csv"), text);
    assert!(written.is_ok());
    shop.batch(&["s.csv", "--yes", "-o", "json"])
        .expect_exit(2)
        .expect_error("sheet_header_quotes")
        .expect_no_post();
}
