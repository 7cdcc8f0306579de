package processors_test

import (
	"fmt"
	"strings"
	"testing"

	"buf.build/go/protovalidate"

	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

var variants = []string{"", "a", "small", "detection", "resize", "crop", "crop-", "crop-x", "small-2", "x2",
	"a-", "a--1", strings.Repeat("v", 32)}

// TestNames_areDistinct: no two of the outputs, the steps of pipelines and the crops of one execution share
// a key, with any variants.
func TestNames_areDistinct(t *testing.T) {
	seen := map[string]string{}
	add := func(key, what string) {
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have the key %q", other, what, key)
		}
		seen[key] = what
	}
	for _, p := range processors.All {
		for _, v := range variants {
			names := processors.Names{Execution: "in/cat", Variant: v}
			add(names.Key(p), fmt.Sprintf("%s of variant %q", p.Name, v))
			add(names.Key(p)+"-crop-1", fmt.Sprintf("the crop of %s of variant %q", p.Name, v))
			if got := processors.NamesOf("in/cat", names.Key(p)+".webp"); got != names {
				t.Errorf("the names of %s.webp are %v", names.Key(p), got)
			}
		}
		for n := 2; n <= 16; n++ {
			key := fmt.Sprintf("in/cat_%s-%d", p.Suffix, n)
			add(key, fmt.Sprintf("step %d of %s", n, p.Name))
			if got := processors.NamesOf("in/cat", key+".jpg"); got.Variant != "" {
				t.Errorf("%s has the variant %q", key, got.Variant)
			}
		}
		for _, other := range processors.All {
			if strings.HasPrefix(other.Suffix, p.Suffix+"-") {
				t.Errorf("the suffix %s is also a variant of %s", other.Suffix, p.Suffix)
			}
		}
	}
}

func TestNamesOf_otherKeys(t *testing.T) {
	for _, key := range []string{"in/cat.jpg", "in/cat_resize.jpg", "in/cat2_resize-small.jpg", "in/cat_other-small.jpg", "",
		"in/cat", "in/cat_resize-Small.jpg", "in/cat_ai-detection-small-crop-1.jpg"} {
		if got := processors.NamesOf("in/cat", key); got != (processors.Names{Execution: "in/cat"}) {
			t.Errorf("%q: %v", key, got)
		}
	}
}

// TestIsVariant compares it with the rule of the contract.
func TestIsVariant(t *testing.T) {
	bad := []string{"2", "2a", "-a", "A", "a_b", "a.b", "a/b", "ä", "a b", "crop-1", "get-thumb", "get-", "small-crop-12",
		strings.Repeat("v", 33), "a\n"}
	for _, text := range append(variants[1:], bad...) {
		err := protovalidate.Validate(&imageflowv1.ResizeRequest{InputBytes: []byte("x"), TargetWidth: 1, Variant: text})
		isBad := false
		for _, b := range bad {
			isBad = isBad || b == text
		}
		if got := processors.IsVariant(text); got == isBad || (err == nil) == isBad {
			t.Errorf("%q: %v, by the contract %v", text, got, err)
		}
	}
}
