//! The modules of the crate, read as the compiler does: from `lib.rs` on, each with the conditions that it
//! is compiled under.

use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, Item, Lit, Meta};

use crate::Result;

/// A file of `src/`.
pub struct Module {
    /// From the root of the repository on.
    pub name: String,
    pub text: String,
    pub syntax: syn::File,
    pub builds: Builds,
}

/// One build: what is set, and whether for a target like the machines of CI.
struct Build {
    set: &'static [&'static str],
    is_linux: bool,
}

const BUILDS: [Build; 5] = [
    Build { set: &["loom"], is_linux: true },
    Build { set: &[], is_linux: true },
    // One of the targets without any of the special cases.
    Build { set: &[], is_linux: false },
    Build { set: &["crossbeam-epoch"], is_linux: true },
    Build { set: &["loom", "crossbeam_loom", "crossbeam-epoch"], is_linux: true },
];

/// Which of [`BUILDS`] compile something.
#[derive(Clone, Copy)]
pub struct Builds([bool; BUILDS.len()]);

impl Builds {
    pub fn loom(self) -> bool {
        self.0[0]
    }

    /// Loom's, on `crossbeam-epoch`.
    pub fn loom_on_crossbeam(self) -> bool {
        self.0[4]
    }

    /// Without features, on one target or another.
    pub fn by_default(self) -> bool {
        self.0[1] || self.0[2]
    }

    /// Whether users have it. The rest is for tests and models.
    pub fn ship(self) -> bool {
        self.by_default() || self.0[3]
    }

    /// What of a build is left behind these attributes.
    pub fn under(self, attributes: &[Attribute]) -> Self {
        let mut builds = self;
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            let Ok(condition) = attribute.parse_args::<Meta>() else {
                continue;
            };
            for (is_in, build) in builds.0.iter_mut().zip(&BUILDS) {
                *is_in &= holds(&condition, build);
            }
        }
        builds
    }
}

/// Whether a condition holds in a build.
fn holds(condition: &Meta, build: &Build) -> bool {
    let text = |value: &Expr| match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => text.value(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    match condition {
        Meta::Path(path) => build.set.iter().any(|name| path.is_ident(name)),
        Meta::NameValue(pair) => {
            let value = text(&pair.value);
            let name = pair.path.get_ident().map(ToString::to_string).unwrap_or_default();
            match name.as_str() {
                "feature" => build.set.contains(&value.as_str()),
                "target_os" => build.is_linux && value == "linux",
                "target_arch" => build.is_linux && value == "x86_64",
                "target_pointer_width" => build.is_linux && value == "64",
                "target_has_atomic" => value == "64",
                _ => false,
            }
        }
        Meta::List(list) => {
            let parser = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
            let Ok(parts) = list.parse_args_with(parser) else {
                return false;
            };
            let mut parts = parts.iter();
            match list.path.get_ident().map(ToString::to_string).as_deref() {
                Some("not") => !parts.any(|part| holds(part, build)),
                Some("all") => parts.all(|part| holds(part, build)),
                Some("any") => parts.any(|part| holds(part, build)),
                _ => false,
            }
        }
    }
}

/// All modules of the crate.
pub fn read(root: &Path) -> Result<Vec<Module>> {
    let mut modules = Vec::new();
    let everywhere = Builds([true; BUILDS.len()]);
    walk(root, Path::new("src/lib.rs"), Path::new("src"), everywhere, &mut modules)?;
    Ok(modules)
}

/// A file, and those of the modules that it declares, which lie in `folder`.
fn walk(
    root: &Path,
    file: &Path,
    folder: &Path,
    builds: Builds,
    to: &mut Vec<Module>,
) -> Result<()> {
    let text = fs::read_to_string(root.join(file))?;
    let syntax = syn::parse_file(&text)?;
    for item in &syntax.items {
        let Item::Mod(item) = item else {
            continue;
        };
        if item.content.is_none() {
            let inner = folder.join(item.ident.to_string());
            let beside: PathBuf = inner.with_extension("rs");
            let file = if root.join(&beside).exists() { beside } else { inner.join("mod.rs") };
            walk(root, &file, &inner, builds.under(&item.attrs), to)?;
        }
    }
    let name = file.to_string_lossy().into_owned();
    to.push(Module { name, text, syntax, builds });
    Ok(())
}
