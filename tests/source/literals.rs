//! Our reader of Python literals against Python's.

#![expect(clippy::disallowed_methods, reason = "runs python3")]

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use odoo_deploy::odoo::Literal;

/// Prints, for each text of a JSON list, its canonical form or `error`.
const ORACLE: &str = r#"
import ast, json, struct, sys, warnings
warnings.simplefilter("ignore")
def canonical(v):
    if v is None: return "N"
    if v is True: return "T"
    if v is False: return "F"
    if isinstance(v, int): return "i%d" % v
    if isinstance(v, float): return "f" + struct.pack(">d", v).hex()
    if isinstance(v, str): return "s%d:%s" % (len(v.encode()), v)
    if isinstance(v, bytes): return "b" + v.hex()
    if isinstance(v, tuple): return "(" + "".join(canonical(i) + "," for i in v) + ")"
    if isinstance(v, list): return "[" + "".join(canonical(i) + "," for i in v) + "]"
    if isinstance(v, set): return "{" + ",".join(sorted(map(canonical, v))) + "}"
    if isinstance(v, dict):
        entries = sorted((canonical(k), canonical(v)) for k, v in v.items())
        return "<" + "".join(k + "=" + v + "," for k, v in entries) + ">"
    raise ValueError(v)
def answer(text):
    try:
        return canonical(ast.literal_eval(text))
    except Exception:
        return "error"
json.dump([answer(text) for text in json.load(sys.stdin)], sys.stdout)
"#;

fn python_says(texts: &[String]) -> Vec<String> {
    let mut python = Command::new("python3")
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let input = serde_json::to_vec(texts).unwrap();
    python.stdin.take().unwrap().write_all(&input).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_same_as_python(texts: &[String]) {
    let mut different = Vec::new();
    for (text, theirs) in texts.iter().zip(python_says(texts)) {
        let ours = Literal::parse(text).map_or("error".into(), |value| value.canonical());
        if ours != theirs {
            different.push(format!("{text:?}: {ours:?}, Python says {theirs:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// One text for each form, and for each way to get it wrong.
const FORMS: &[&str] = &[
    "{}",
    "\u{feff}{}",
    "# -*- coding: latin-1 -*-\n{}",
    "  {}",
    "\n\n{}",
    "{}\n\n# x\n",
    "\\\n{}",
    "'a'\n'b'",
    "('a'\n'b')",
    "f'a'",
    "{**{}}",
    "set()",
    "set( )",
    "set([1])",
    "00",
    "01",
    "1_0",
    "1__0",
    "_1",
    "1_",
    "-+1",
    "--1",
    "-True",
    "- 1",
    "-\n1",
    "(-\n1)",
    "not 1",
    "{'a':1,}\u{c}",
    "{1:2,'a'}",
    "{1, 2, 1}",
    "(1)",
    "()",
    "(,)",
    "(1,)",
    "((1),)",
    "b'a' 'b'",
    "b'a' b'b'",
    "[1,,]",
    "[,]",
    "{,}",
    "'a' if 1 else 2",
    "{} ;",
    "\0{}",
    "'a\0'",
    "rb'\\x' b'a'",
    "ur'a'",
    "'\\400'",
    "-'a'",
    "0xfor",
    "0xFF",
    "0x_f",
    "0x",
    "0x__f",
    "0o17",
    "0b101",
    "0b2",
    "1.e5",
    "1e",
    "1e+5",
    "1E-5",
    "1.",
    ".",
    ".5",
    "-.5",
    "1..2",
    "0_7",
    "007.5",
    "1_000.0_1e1_0",
    "1e400",
    "-0",
    "-0.0",
    "1e5_",
    "99999999999999999999999999999999999999999999",
    "\u{a0}{}",
    "{[]:1}",
    "{{}}",
    "{(1,[]):1}",
    "{(1,2):1}",
    "'a\\\nb'",
    "'\\8'",
    "'\\q'",
    "'''a\n''' 'b'",
    "'''a''b\\'''c'''",
    "\"\"\"\"a\"\"\"",
    "1+1",
    "True",
    "true",
    "'\\x4'",
    "'\\x41'",
    "'\\u12'",
    "'\\u0041\\U0001F600'",
    "'\\U00110000'",
    "b'é'",
    "'é'",
    "b'\\400'",
    "b'\\u0041'",
    "{'a': 1 'b': 2}",
    "['a' 'b', \"c\" # x\n 'd']",
    "a",
    "a.b",
    "'a' * 2",
    "'abc",
    "'a\nb'",
    "[1",
    "[1)",
    "{'a': 1, 'a': 2}",
    "r'\\'",
    "r'\\''",
    "R'a\\n' U'\\n'",
    "bR'\\n'",
    "'' \"\" ''",
    "[ ]",
    "{ }",
    "( )",
    "\t[1]",
    "{'a':\n\n# c\n1}",
    "None",
    "[None, True,False]",
    "",
    "   ",
    "# only",
    "'\\0'",
    "'\\07\\101x'",
    "'#'",
    "[1 2]",
    "('a' 'b', )",
    "'a''b'",
    "1 # x",
    "{1:2}",
    "{1:}",
    "{:1}",
    "{1:2 3}",
    "'\t'",
    "0e0",
    "0777e1",
    "1_e5",
];

#[test]
fn every_form_of_a_literal_is_read_as_python_reads_it() {
    let texts: Vec<String> = FORMS.iter().map(|text| (*text).to_owned()).collect();
    assert_same_as_python(&texts);
}

#[test]
fn generated_literals_are_read_as_python_reads_them() {
    let mut random = Random(20_250_101);
    let mut texts: Vec<String> = (0..1500).map(|_| random.literal(4)).collect();
    // The same with one character lost: mostly broken, and in the same places.
    for at in 0..700 {
        let mut characters: Vec<char> = texts[at].chars().collect();
        let lost = random.below(characters.len());
        characters.remove(lost);
        texts.push(characters.into_iter().collect());
    }
    assert_same_as_python(&texts);
}

/// A linear congruential generator: the same texts on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn blank(&mut self) -> &'static str {
        self.pick(&["", "", " ", "  ", "\n", " # it's \"a\" [comment\n", "\t", "\\\n"])
    }

    fn string(&mut self) -> String {
        let quote = self.pick(&["'", "\"", "'''", "\"\"\""]);
        let prefix = self.pick(&["", "", "", "r", "u", "R"]);
        let pieces = [
            "a", "sale", "\\n", "\\'", "\\\"", "ñ", "#", " ", "\\x41", "\\\\", "\\101", "\\d", "{",
            "]", "\\u00e9", "\\\n",
        ];
        let body: String = (0..self.below(6)).map(|_| self.pick(&pieces)).collect();
        format!("{prefix}{quote}{body}{quote}")
    }

    fn literal(&mut self, depth: usize) -> String {
        let kind = self.below(if depth == 0 { 6 } else { 10 });
        match kind {
            0 => self.pick(&["None", "True", "False"]).to_owned(),
            1 => self.pick(&["0", "-1", "1_000", "+7", "0xfF", "1.5", "-.5e3", "1e10"]).to_owned(),
            2 | 3 => self.string(),
            4 => format!("({}{}{}{})", self.string(), self.blank(), self.string(), self.blank()),
            5 => format!("b{}", self.pick(&["'a'", "'\\x00' b'b'", "\"\\n\""])),
            6 => self.sequence("[", "]", depth),
            7 => self.sequence("(", ",)", depth).replace("(,)", "()").replace(",,)", ",)"),
            _ => {
                let mut text = format!("{{{}", self.blank());
                for _ in 0..self.below(4) {
                    let (key, value) = (self.string(), self.literal(depth - 1));
                    text += &format!(
                        "{key}{}:{}{value}{},{}",
                        self.blank(),
                        self.blank(),
                        self.blank(),
                        self.blank()
                    );
                }
                text + "}"
            }
        }
    }

    fn sequence(&mut self, open: &str, close: &str, depth: usize) -> String {
        let items: Vec<_> = (0..self.below(4)).map(|_| self.literal(depth - 1)).collect();
        let comma = format!("{},{}", self.blank(), self.blank());
        format!("{open}{}{close}", items.join(&comma))
    }
}
