//! What `glovebox plugin new` does not do, and what it says then.

use glovebox_tests::pipeline::Pipeline;

#[test]
fn a_folder_that_is_there_is_left_as_it_is() {
    let here = Pipeline::empty().file("keep-last/notes.txt", "mine");
    let ran = here.call(&["plugin", "new", "keep-last"]).ends_with(2);
    let _ = ran.says("`keep-last` already exists");
    assert_eq!(here.read("keep-last/notes.txt"), "mine");
    assert_eq!(
        std::fs::read_dir(here.path("keep-last")).unwrap().count(),
        1
    );
}

#[test]
fn a_file_that_is_there_is_left_as_it_is() {
    let here = Pipeline::empty().file("keep-last", "mine");
    let ran = here.call(&["plugin", "new", "keep-last"]).ends_with(2);
    let _ = ran.says("choose another name");
    assert_eq!(here.read("keep-last"), "mine");
}

#[test]
fn a_name_that_is_not_kebab_case_makes_nothing() {
    let here = Pipeline::empty();
    for name in ["Keep", "../keep", "keep_last", "match"] {
        let ran = here.call(&["plugin", "new", name]).ends_with(2);
        let _ = ran.says("cannot be a plugin's name");
    }
    assert_eq!(here.names(), [] as [&str; 0]);
}

#[test]
fn a_program_that_is_not_on_the_path_is_named_in_the_command() {
    let here = Pipeline::empty();
    let ran = here.call(&["plugin", "new", "keep-last"]).ends_with(0);
    let program = std::fs::canonicalize(glovebox_tests::pipeline::program()).unwrap();
    let command = format!(
        "  cd keep-last && GLOVEBOX='{}' ./try.sh\n",
        program.display()
    );
    assert!(ran.stdout.contains(&command), "{}", ran.stdout);
}
