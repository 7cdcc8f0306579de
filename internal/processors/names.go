package processors

import (
	"path"
	"regexp"
	"strings"

	"imageflow.dev/internal/rules"
)

// Names are the parts that the default keys of all outputs of one upload and variant share.
type Names struct {
	// Execution is the execution id.
	Execution string
	// Variant distinguishes several outputs of one processor; empty for the only one.
	Variant string
}

// Key returns the default key of an output, without the extension: "<execution>_<suffix>", and
// "-<variant>" if there is one.
func (n Names) Key(p Info) string {
	key := n.Execution + "_" + p.Suffix
	if n.Variant != "" {
		key += "-" + n.Variant
	}
	return key
}

// NamesOf returns the names that an object of an execution has if its key is a default one. The
// variant is empty for all other keys.
func NamesOf(execution, key string) Names {
	n := Names{Execution: execution}
	ending, ok := strings.CutPrefix(strings.TrimSuffix(key, path.Ext(key)), execution+"_")
	for _, p := range All {
		if variant, has := strings.CutPrefix(ending, p.Suffix+"-"); ok && has && IsVariant(variant) {
			n.Variant = variant
		}
	}
	return n
}

var (
	cropPattern = regexp.MustCompile(`(^|-)crop-[0-9]+$`)
	viewPattern = regexp.MustCompile("^" + rules.ViewPrefix + "[0-9a-f]{24}$")
)

// IsVariant reports whether a text is the name of a variant, by the rule of the contract: it is
// neither the number of a pipeline's step nor ends like the name of a crop, and begins with get- only for signed URLs.
func IsVariant(text string) bool {
	return rules.IsName(text) && !cropPattern.MatchString(text) &&
		(!strings.HasPrefix(text, rules.ViewPrefix) || viewPattern.MatchString(text))
}
