package detect_test

import (
	"slices"
	"testing"

	"imageflow.dev/functions/detect"
)

func TestParseNames(t *testing.T) {
	for text, want := range map[string][]string{
		`{0: 'cat', 1: 'dog'}`:                      {"cat", "dog"},
		`{1: 'dog', 0: "cat"}`:                      {"cat", "dog"},
		`{0:'a',1:'b',}`:                            {"a", "b"},
		`{0: "it's", 1: 'say "hi"'}`:                {"it's", `say "hi"`},
		`{0: 'it\'s', 1: "a \"b\""}`:                {"it's", `a "b"`},
		`{0: 'back\\slash', 1: 'end\\'}`:            {`back\slash`, `end\`},
		`{0: '5: \'x\'', 1: "{7: 'y'}, 8: z"}`:      {"5: 'x'", "{7: 'y'}, 8: z"},
		`{0: '', 1: 'größe', 2: '汽车'}`:              {"", "größe", "汽车"},
		`{0: 'a\tb', 1: 'gr\xf6\u00dfe\U0001f697'}`: {"a\tb", "größe🚗"},
		`{0: 'a\q'}`:                                {`a\q`},
		`{"0": "cat", "1": "d\u00f6g"}`:             {"cat", "dög"},
		`["cat", "dog"]`:                            {"cat", "dog"},
		`['cat', "it's"]`:                           {"cat", "it's"},
		"\ufeff{0: 'cat'}":                          {"cat"},
		`{"0": "cat", "2": "dog"}`:                  nil,
		`{"0": "cat", "a": "dog"}`:                  nil,
		`[]`:                                        nil,
		`{0: 'cat', 2: 'dog'}`:                      nil, // 1 is missing
		`{1: 'cat', 2: 'dog'}`:                      nil,
		`{99999999999999999999: 'cat'}`:             nil,
		``:                                          nil,
		`{}`:                                        nil,
		`cat, dog`:                                  nil,
	} {
		if got := detect.ParseNames(text); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
