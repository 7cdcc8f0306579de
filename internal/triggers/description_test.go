package triggers_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"imageflow.dev/internal/triggers"
)

var sentence = regexp.MustCompile(`^[A-Z].{20,}\.$`)

// TestDescription_ofShippedTriggers: each Trigger in eventing, its examples and the components has a sentence of its own.
func TestDescription_ofShippedTriggers(t *testing.T) {
	const maxLength = 130 // a line of a terminal
	seen, count := map[string]string{}, 0
	for _, top := range []string{"../../eventing", "../../config"} {
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), "\nkind: Trigger\n") {
				return err
			}
			all, err := triggers.Parse([]triggers.File{{Name: path, Text: text}})
			for _, one := range all {
				count++
				text := one.Metadata.Annotations[triggers.DescriptionAnnotation]
				if !sentence.MatchString(text) || len(text) > maxLength || seen[text] != "" {
					t.Errorf("%s: the annotation %s is %q, as of %q", one, triggers.DescriptionAnnotation, text, seen[text])
				}
				seen[text] = one.Metadata.Name
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if count < 20 {
		t.Errorf("%d Triggers", count)
	}
}

func TestDescriber(t *testing.T) {
	d := triggers.Describer{Chain: "shop", Prefix: "shop/"}
	for got, want := range map[string]string{
		d.Step("resize", "target_width=8&variant=a%26b", ""): "Runs resize on uploads under shop/ with target_width=8, " +
			"variant=a%26b, for the chain shop.",
		d.Step("detect", "", "resize"):                            "Runs detect on the output of resize, for the chain shop.",
		triggers.Describer{Chain: "whole"}.Step("detect", "", ""): "Runs detect on all uploads, for the chain whole.",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := d.Completion("detect"); !sentence.MatchString(got) || !strings.Contains(got, "detect is done") {
		t.Errorf("%q", got)
	}
}

// TestChains_longDescription: an annotation may have 256 KiB, of which a page shows a part.
func TestChains_longDescription(t *testing.T) {
	text, err := os.ReadFile("../../eventing/chain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, err := triggers.Parse([]triggers.File{{Name: "chain.yaml", Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		one.Metadata.Annotations[triggers.DescriptionAnnotation] = strings.Repeat("ä", 256<<10)
	}
	described := 0
	for _, chain := range triggers.Chains(all, nil) {
		for _, node := range chain.Nodes {
			if node.Description == "" {
				continue // of an upload
			}
			if described++; utf8.RuneCountInString(node.Description) != 500 || !utf8.ValidString(node.Description) {
				t.Errorf("%s has a description of %d bytes", node.ID, len(node.Description))
			}
		}
	}
	if described < 4 {
		t.Errorf("%d descriptions", described)
	}
}
