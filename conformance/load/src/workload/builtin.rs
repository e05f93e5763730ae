//! The workloads that are built in; each is a file to copy and edit.

/// A workload that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltinWorkload {
    /// By what it is found.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

macro_rules! builtin {
    ($($name:literal),*) => {
        [$(BuiltinWorkload {
            name: $name,
            text: include_str!(concat!("../../../../benches/workloads/", $name, ".toml")),
        }),*]
    };
}

impl BuiltinWorkload {
    /// All of them.
    pub const ALL: [Self; 7] = builtin!("burst", "paced", "ramp", "idle", "connect", "rooms", "mixed");

    /// The one of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|builtin| builtin.name == name)
    }

    /// Their names, for messages.
    pub fn names() -> String {
        Self::ALL.map(|builtin| format!("`{}`", builtin.name)).join(", ")
    }

    /// What it is for: the sentence on the file's first line.
    pub fn about(self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
    }
}
