//! What must not compile: each program in `compile_fail/` says which error it expects on which
//! line.
//!
//! A program that fails for another reason, a slip of the pen, would prove nothing. So each is
//! compiled twice: without its illegal lines, which are marked by the feature `illegal`, it has to
//! compile; with them it has to fail with the codes that it names, at their lines. Codes and lines
//! are compared, not the text of the messages, which changes from one compiler to the next.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Program, line and code of an error.
type Errors = BTreeSet<(String, usize, String)>;

#[test]
fn illegal_programs_are_refused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut programs: Vec<PathBuf> = fs::read_dir(root.join("tests/compile_fail"))
        .expect("the programs are there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    programs.sort();
    assert!(programs.len() >= 8, "some programs are missing");
    let project = lay_out_project(root, &programs);

    let legal = check(&project, &[]);
    assert!(legal.is_empty(), "without their illegal lines they are to compile: {legal:#?}");
    let expected: Errors = programs.iter().flat_map(|path| expected_errors(path)).collect();
    let found = check(&project, &["--features", "illegal"]);
    let missing: Vec<_> = expected.difference(&found).collect();
    let surplus: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "errors that did not come: {missing:#?}\nerrors that nobody expected: {surplus:#?}"
    );
    for (program, line, code) in found {
        println!("{program}, line {line}: {code}");
    }
}

/// A package whose binaries are the programs, in a directory of its own below the target.
fn lay_out_project(root: &Path, programs: &[PathBuf]) -> PathBuf {
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    let binaries = project.join("src/bin");
    // Programs of an earlier run that have gone since must not be compiled.
    let _ = fs::remove_dir_all(&binaries);
    fs::create_dir_all(&binaries).expect("the target directory can be written to");
    let manifest = format!(
        "[package]\nname = \"compile-fail\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [features]\nillegal = []\n\
         [dependencies]\ntandem-registry = {{ path = {root:?} }}\n\
         [workspace]\n"
    );
    fs::write(project.join("Cargo.toml"), manifest).expect("it can be written");
    // The versions that were tested with, so that nothing has to be asked of the network.
    let _ = fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock"));
    for program in programs {
        let name = program.file_name().expect("it is a file");
        fs::copy(program, binaries.join(name)).expect("it can be copied");
    }
    project
}

/// The errors that a program announces: `//~ E0597` at the end of the line, or `//~ error` for one
/// without a code.
fn expected_errors(program: &Path) -> Errors {
    let name = program.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
    let source = fs::read_to_string(program).expect("it can be read");
    let errors: Errors = source
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let (_, code) = line.split_once("//~ ")?;
            Some((name.to_owned(), index + 1, code.trim().to_owned()))
        })
        .collect();
    assert!(!errors.is_empty(), "{name} expects no error");
    errors
}

/// Compiles all programs, and returns the errors found in them.
fn check(project: &Path, features: &[&str]) -> Errors {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["check", "--bins", "--keep-going", "--quiet", "--offline"])
        .args(["--message-format", "short", "--color", "never"])
        .args(features)
        .current_dir(project)
        .env("CARGO_TARGET_DIR", project.join("target"))
        // Flags for sanitizers and the like are of no use to a check.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo can be run");
    // Lines like `src/bin/name.rs:12:34: error[E0597]: ...`; a few errors have no code.
    let text = String::from_utf8_lossy(&output.stderr);
    let errors: Errors = text
        .lines()
        .filter_map(|line| {
            let (position, message) = line.split_once(": error")?;
            let code = message
                .strip_prefix('[')
                .and_then(|message| message.split_once(']'))
                .map_or("error", |(code, _)| code);
            let mut position = position.strip_prefix("src/bin/")?.split(':');
            let name = position.next()?.strip_suffix(".rs")?;
            let line = position.next()?.parse().ok()?;
            Some((name.to_owned(), line, code.to_owned()))
        })
        .collect();
    assert_eq!(
        output.status.success(),
        errors.is_empty(),
        "cargo failed, but not for an error in a program:\n{text}"
    );
    errors
}
