package text_test

import (
	"bytes"
	"fmt"
	"testing"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
)

func TestCount(t *testing.T) {
	for n, want := range []string{"0 dead letters, 0 prefixes", "1 dead letter, 1 prefix", "2 dead letters, 2 prefixes"} {
		if got := text.Count(n, "dead letter") + ", " + text.Count(n, "prefix"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestEscape: what a terminal would obey is visible, and names of people's languages stay as they are.
func TestEscape(t *testing.T) {
	for from, want := range map[string]string{
		"a\x1b[2J": `a\x1b[2J`, "a\r\nb\tc\x07\b": `a\r\nb\tc\a\b`, "\u009b31m": `\u009b31m`, "\u202egpj.a": `\u202egpj.a`,
		"a\xffb": `a\xffb`, "\x7f": `\x7f`, "日本\u3000語 Фото's \"é\" 🙂": "日本\u3000語 Фото's \"é\" 🙂", `a\b`: `a\b`,
	} {
		if got := text.Escape(from); got != want {
			t.Errorf("%q became %q, want %q", from, got, want)
		}
	}
}

// TestWriter keeps lines and tabs, and escapes everything else.
func TestWriter(t *testing.T) {
	var out bytes.Buffer
	_, err := fmt.Fprintf(text.Writer{To: &out}, "a\tb\n%s\n", "c\x1b]0;x\a\r")
	if err != nil || out.String() != "a\tb\nc\\x1b]0;x\\a\\r\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
