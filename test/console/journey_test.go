package console_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCopiedCommandRuns: the text for curl on the page of an execution runs in a shell and is answered with 200.
func TestCopiedCommandRuns(t *testing.T) {
	system := anySite(t)
	put(t, system, "copied/it's \"one\" $(touch pwned).jpg", "image/jpeg", read(t, sample))
	b := system.open(t, "/executions?prefix=copied/")
	b.await(`document.querySelector("tbody .completed")`)
	b.visit(get[string](b, `document.querySelector("tbody a").getAttribute("href")`))
	texts := get[[]string](b, `[...document.querySelectorAll("details.copy")].filter((copy) =>
		copy.querySelector("summary").textContent === "curl" && copy.querySelector("pre"))
		.map((copy) => copy.querySelector("pre").textContent)`)
	if len(texts) < 3 {
		t.Fatalf("the page has the commands %q, want one for each step", texts)
	}
	for _, text := range texts {
		cmd := exec.Command("bash", "-c", text+" -o answer -w '%{http_code}'")
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "GATEWAY_TOKEN="+system.token)
		out, err := cmd.CombinedOutput()
		if files, _ := filepath.Glob(filepath.Join(cmd.Dir, "pwned*")); len(files) > 0 {
			t.Error("a part of the key ran")
		}
		if answer, _ := os.ReadFile(filepath.Join(cmd.Dir, "answer")); err != nil || string(out) != "200" {
			t.Errorf("%s\nis answered with %s %s %v", text, out, answer, err)
		}
	}
}

// TestChainIsDrawn: the page of chains has the steps of the Triggers in force, and those of a chain with branches.
func TestChainIsDrawn(t *testing.T) {
	more, branches := t.TempDir(), read(t, root+"/eventing/examples/renditions.yaml")
	if err := os.WriteFile(filepath.Join(more, "renditions.yaml"), branches, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		system func(testing.TB) *site
		want   []int // steps of each chain
	}{
		"the chain": {anySite, []int{3}},
		"branches":  {func(t testing.TB) *site { return local(t, nil, "--eventing", "eventing,"+more) }, []int{3, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.system(t).open(t, "/chain")
			steps := get[[]int](b, `[...document.querySelectorAll("section.chain")].map((chain) =>
				chain.querySelectorAll(".node-step").length)`)
			if len(steps) != len(c.want) {
				t.Fatalf("%d chains are drawn, want %d", len(steps), len(c.want))
			}
			for i, n := range c.want {
				if steps[i] != n {
					t.Errorf("chain %d has %d steps, want %d", i, steps[i], n)
				}
			}
			if text := b.text(); !strings.Contains(text, "No problem was found") {
				t.Errorf("the page says\n%s", text)
			}
		})
	}
}
