//! What stands in a gateway's files: names of environment variables, and paths. What it reads and serves need not be guessed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most files that are read.
const MAX_FILES: usize = 300;
/// Most of a file that is read.
const MAX_BYTES: u64 = 512 * 1024;
/// How deep folders are looked into.
const MAX_DEPTH: usize = 4;
/// Folders of what others have written.
const OTHERS: [&str; 8] =
    ["node_modules", "target", "venv", ".venv", "vendor", "site-packages", "__pycache__", ".git"];
/// Files that are looked into.
const SOURCES: [&str; 16] =
    ["js", "mjs", "cjs", "ts", "mts", "py", "rb", "go", "rs", "java", "kt", "cs", "ex", "exs", "php", "env"];
/// Longest name.
const MAX_NAME: usize = 40;
/// Most paths that are kept.
const MAX_PATHS: usize = 12;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    /// Names of variables that speak of how often to ping.
    pub(super) intervals: Vec<String>,
    /// Names that speak of how long at most.
    pub(super) timeouts: Vec<String>,
    /// Texts that are paths.
    pub(super) paths: Vec<String>,
}

/// What stands in the files of a command and of its folder.
pub(super) fn of(words: &[String], folder: &Path) -> Sources {
    let mut files: Vec<PathBuf> =
        words.iter().map(|word| folder.join(word)).filter(|path| path.is_file()).collect();
    collect(folder, MAX_DEPTH, &mut files);
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for file in files.iter().take(MAX_FILES) {
        let mut text = Vec::new();
        let read = fs::File::open(file).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text));
        if read.is_ok() {
            names.extend(words_of(&text));
            paths.extend(paths_of(&String::from_utf8_lossy(&text)));
        }
    }
    let mut paths: Vec<String> = paths.into_iter().collect();
    let speaks = |path: &String| {
        ["ws", "socket", "stream", "live", "real", "event"].iter().any(|word| path.contains(word))
    };
    paths.sort_by_key(|path| (!speaks(path), path.len()));
    paths.truncate(MAX_PATHS);
    let mut found = Sources { paths, ..Sources::default() };
    for name in names {
        if ["TIMEOUT", "PONG", "GRACE"].iter().any(|word| name.contains(word)) {
            found.timeouts.push(name);
        } else {
            found.intervals.push(name);
        }
    }
    found
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if files.len() >= MAX_FILES {
            return;
        }
        let (path, name) = (entry.path(), entry.file_name());
        // A link may lead anywhere.
        let Ok(kind) = entry.file_type() else { continue };
        let is_source = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| SOURCES.contains(&extension));
        if kind.is_dir() && depth > 0 && !OTHERS.contains(&name.to_str().unwrap_or_default()) {
            collect(&path, depth - 1, files);
        } else if kind.is_file() && is_source {
            files.push(path);
        }
    }
}

/// The words in capitals that speak of a heartbeat.
fn words_of(text: &[u8]) -> impl Iterator<Item = String> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let words = text.split(move |byte| !is_part(byte));
    words.filter_map(|word| {
        let word = std::str::from_utf8(word).ok().filter(|word| (5..=MAX_NAME).contains(&word.len()))?;
        let is_constant =
            word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        let speaks =
            ["PING", "BEAT", "PONG", "KEEPALIVE", "KEEP_ALIVE"].iter().any(|part| word.contains(part));
        // As in SHIPPING or MAPPING.
        let is_whole = !word.contains("PPING") && !word.contains("OPING");
        (is_constant && speaks && is_whole).then(|| word.to_owned())
    })
}

/// The texts in quotes that are paths of one or two words.
fn paths_of(text: &str) -> impl Iterator<Item = String> {
    let quoted = text.split(['"', '\'', '`']);
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_path = move |text: &&str| {
        let words = text.strip_prefix('/').filter(|_| text.len() <= MAX_NAME);
        words.is_some_and(|words| words.split('/').count() <= 2 && words.split('/').all(is_word))
    };
    quoted.filter(is_path).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and paths are found in a gateway's own files, and not in those of its packages.
    #[test]
    fn names_are_found_in_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "src/main.ts",
            "const SHIPPING_COST = 1; Number(process.env.PING_MS ?? 30000); '/stream'; \"/a/b.js\"",
        );
        write("run.py", "int(os.environ.get('WS_PONG_TIMEOUT', '5')); os.environ['BEAT_GRACE_MS']");
        write("node_modules/a/index.js", "process.env.OTHER_PING_MS");
        let found = of(&["node".to_owned(), "src/main.ts".to_owned()], folder.path());
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected = Sources {
            intervals: names(&["PING_MS"]),
            timeouts: names(&["BEAT_GRACE_MS", "WS_PONG_TIMEOUT"]),
            paths: names(&["/stream"]),
        };
        assert_eq!(found, expected);
    }
}
