//! Fenced blocks of a page, and what of it a test has dealt with.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// The line of the page at which it begins, counted from 1.
    pub line: usize,
    /// What stands behind the fence.
    pub language: String,
    /// Its lines.
    pub text: String,
}

impl Block {
    /// The commands of a block of a shell, each with the lines that it is continued on. In a
    /// `console` they stand behind `$ `; what else there is, is what they print.
    pub fn commands(&self) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            let command = match self.language.as_str() {
                "console" if !goes_on => line.strip_prefix("$ "),
                _ => Some(line),
            };
            let Some(command) = command.filter(|c| !c.trim().is_empty()) else {
                continue;
            };
            match commands.last_mut().filter(|_| goes_on) {
                Some(last) => *last += &format!("\n{command}"),
                None => commands.push(command.to_owned()),
            }
            goes_on = command.ends_with('\\');
        }
        commands
    }

    /// What a command of a `console` prints by the page.
    pub fn printed(&self, command: &str) -> Vec<String> {
        let last = command.lines().last().unwrap_or_default();
        let behind = self.text.lines().skip_while(|line| !line.ends_with(last));
        let printed = behind.skip(1).take_while(|line| !line.starts_with("$ "));
        printed.map(str::to_owned).collect()
    }
}

/// The fenced blocks of a Markdown text.
///
/// # Panics
/// When one has no end.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in markdown.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open) {
            (Some(language), false) => {
                blocks.push(Block {
                    line: number + 1,
                    language: language.to_owned(),
                    text: String::new(),
                });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                if let Some(block) = blocks.last_mut() {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
            }
            (None, false) => {}
        }
    }
    assert!(!open, "a block has no end");
    blocks
}

/// A page whose blocks of a shell are all dealt with, in their order.
#[derive(Debug)]
pub struct Page {
    name: String,
    blocks: Vec<Block>,
    next: RefCell<usize>,
}

impl Page {
    /// A page of the repository.
    ///
    /// # Panics
    /// When it cannot be read.
    #[track_caller]
    pub fn read(name: &str) -> Page {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        Page::of(name, &text)
    }

    /// A page of that text.
    pub fn of(name: &str, text: &str) -> Page {
        Page {
            name: name.to_owned(),
            blocks: blocks(text),
            next: RefCell::default(),
        }
    }

    fn shell(&self) -> Vec<&Block> {
        let shell = |block: &&Block| ["sh", "console", "bash"].contains(&block.language.as_str());
        self.blocks.iter().filter(shell).collect()
    }

    /// The next block of a shell, which begins with this.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    pub fn next(&self, begins: &str) -> Block {
        let next = *self.next.borrow();
        let shell = self.shell();
        let block = shell.get(next).copied();
        let block = block.unwrap_or_else(|| panic!("{}: there is no block more", self.name));
        assert!(
            block
                .text
                .trim_start()
                .trim_start_matches("$ ")
                .starts_with(begins),
            "{}, line {}: this block begins otherwise than `{begins}`; run it, or say why not:\n{}",
            self.name,
            block.line,
            block.text
        );
        *self.next.borrow_mut() = next + 1;
        block.clone()
    }

    /// A block of the shell that is not run here; `why` is for who reads the test.
    #[track_caller]
    pub fn not_run(&self, begins: &str, why: &str) {
        assert!(!why.is_empty());
        let _ = self.next(begins);
    }

    /// The first block of a language that begins like this.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn other(&self, language: &str, begins: &str) -> Block {
        let found = self
            .blocks
            .iter()
            .find(|b| b.language == language && b.text.starts_with(begins));
        let missing = || panic!("{}: no {language} begins with `{begins}`", self.name);
        found.cloned().unwrap_or_else(missing)
    }

    /// That nothing is left.
    ///
    /// # Panics
    /// When a block of a shell is.
    #[track_caller]
    pub fn end(self) {
        let next = *self.next.borrow();
        if let Some(block) = self.shell().get(next) {
            panic!(
                "{}, line {}: nobody runs this block; run it, or say why not:\n{}",
                self.name, block.line, block.text
            );
        }
    }
}
