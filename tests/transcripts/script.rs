//! The text format of `tests/commands/*.txt`; `tests/commands/README.md` describes it line by line.

/// One file.
pub struct Script {
    pub conditions: Vec<Condition>,
    pub sections: Vec<Section>,
}

pub struct Section {
    pub title: String,
    pub conditions: Vec<Condition>,
    pub steps: Vec<Step>,
}

pub struct Step {
    /// Counted from 1.
    pub line: usize,
    pub action: Action,
    pub conditions: Vec<Condition>,
    pub unordered: bool,
    pub save_as: Option<String>,
    pub expected: Vec<String>,
}

/// Which targets something is for.
pub struct Condition {
    pub tag: String,
    pub wanted: bool,
}

#[derive(Debug, PartialEq)]
pub enum Action {
    Call(String),
    Scan(String),
    Send(String),
    Bytes(String),
    Raw(String),
    Receive,
    Closed,
    Silent,
    Connection(usize),
    Resp3,
    Reconnect,
    Sleep(u64),
    Safe,
}

impl Action {
    pub fn has_reply(&self) -> bool {
        matches!(
            self,
            Action::Call(_) | Action::Scan(_) | Action::Raw(_) | Action::Receive
        )
    }
}

impl Script {
    /// An error names its line.
    pub fn parse(text: &str) -> Result<Script, String> {
        let mut parser = Parser {
            script: Script {
                conditions: vec![],
                sections: vec![],
            },
            pending: Pending::default(),
        };
        for (index, line) in text.lines().enumerate() {
            parser
                .line(index + 1, line.trim_end())
                .map_err(|error| format!("line {}: {error}", index + 1))?;
        }
        Ok(parser.script)
    }
}

struct Parser {
    script: Script,
    pending: Pending,
}

/// What was said about a step that is still to come.
#[derive(Default)]
struct Pending {
    conditions: Vec<Condition>,
    unordered: bool,
    save_as: Option<String>,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            Ok(())
        } else if let Some(title) = line.strip_prefix("== ") {
            let title = title
                .strip_suffix(" ==")
                .ok_or("a section's line ends in ==")?
                .into();
            self.script.sections.push(Section {
                title,
                conditions: vec![],
                steps: vec![],
            });
            Ok(())
        } else if let Some(command) = line.strip_prefix("> ") {
            self.step(number, Action::Call(command.into()))
        } else if let Some(directive) = line.strip_prefix('@') {
            let (name, rest) = directive.split_once(' ').unwrap_or((directive, ""));
            self.directive(number, name, rest.trim())
        } else {
            let step = self
                .section()?
                .steps
                .last_mut()
                .filter(|step| step.action.has_reply());
            step.ok_or("a reply without a command")?
                .expected
                .push(line.into());
            Ok(())
        }
    }

    fn directive(&mut self, number: usize, name: &str, rest: &str) -> Result<(), String> {
        let action = match name {
            "conn" => Action::Connection(rest.parse().map_err(|_| "@conn wants a number")?),
            "sleep" => Action::Sleep(rest.parse().map_err(|_| "@sleep wants milliseconds")?),
            "scan" => Action::Scan(rest.into()),
            "send" => Action::Send(rest.into()),
            "bytes" => Action::Bytes(rest.into()),
            "raw" => Action::Raw(rest.into()),
            "recv" => Action::Receive,
            "closed" => Action::Closed,
            "silent" => Action::Silent,
            "resp3" => Action::Resp3,
            "reconnect" => Action::Reconnect,
            "safe" => Action::Safe,
            _ => return self.modifier(name, rest),
        };
        self.step(number, action)
    }

    fn modifier(&mut self, name: &str, rest: &str) -> Result<(), String> {
        match name {
            "unordered" => self.pending.unordered = true,
            "let" => self.pending.save_as = Some(rest.into()),
            "skip" | "only" => self.pending.conditions.push(condition(name, rest)?),
            "skip-section" | "only-section" => self.section()?.conditions.push(condition(name, rest)?),
            "skip-file" | "only-file" => self.script.conditions.push(condition(name, rest)?),
            _ => return Err(format!("@{name} is not known")),
        }
        Ok(())
    }

    fn step(&mut self, line: usize, action: Action) -> Result<(), String> {
        let Pending {
            conditions,
            unordered,
            save_as,
        } = std::mem::take(&mut self.pending);
        let step = Step {
            line,
            action,
            conditions,
            unordered,
            save_as,
            expected: vec![],
        };
        self.section()?.steps.push(step);
        Ok(())
    }

    fn section(&mut self) -> Result<&mut Section, String> {
        self.script
            .sections
            .last_mut()
            .ok_or_else(|| "a file starts with == a section ==".into())
    }
}

fn condition(name: &str, rest: &str) -> Result<Condition, String> {
    let (tag, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    if tag.is_empty() || reason.is_empty() {
        return Err(format!("@{name} wants a tag and a reason"));
    }
    Ok(Condition {
        tag: tag.into(),
        wanted: name.starts_with("only"),
    })
}

#[test]
fn a_script_is_parsed() {
    let text = "# c\n@skip-file cold slow\n== one ==\n\n@unordered\n> KEYS *\n1) \"a\"\n2) \"b\"\n@conn 2\n@only redis why\n@let x\n@recv\n(any)\n";
    let script = Script::parse(text).unwrap();
    assert_eq!(script.conditions.len(), 1);
    let steps = &script.sections[0].steps;
    assert_eq!((steps.len(), steps[0].line, steps[0].unordered), (3, 6, true));
    assert_eq!(steps[0].expected, ["1) \"a\"", "2) \"b\""]);
    assert_eq!(steps[1].action, Action::Connection(2));
    assert!(steps[2].conditions[0].wanted && steps[2].save_as.as_deref() == Some("x"));
    for bad in [
        "> PING\n",
        "== a ==\nOK\n",
        "== a\n",
        "== a ==\n@foo\n",
        "== a ==\n@skip redis\n",
        "== a ==\n@conn\n",
    ] {
        assert!(Script::parse(bad).is_err(), "{bad}");
    }
}
