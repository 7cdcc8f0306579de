package presets

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// isSmall reports whether a document has at most maxValues values, if each alias counts as what it stands for.
func isSmall(doc *yaml.Node) bool {
	left := maxValues
	var count func(node *yaml.Node)
	count = func(node *yaml.Node) {
		if left--; left < 0 {
			return
		}
		if node.Kind == yaml.AliasNode {
			count(node.Alias)
		}
		for _, child := range node.Content {
			if left < 0 {
				return
			}
			count(child)
		}
	}
	count(doc)
	return left >= 0
}

// octal is a number that YAML 1.1 reads with base 8, and YAML 1.2 with base 10.
var octal = regexp.MustCompile(`^[-+]?0[0-9_]+$`)

// checkNumbers returns an error for a number whose value depends on the version of YAML.
func checkNumbers(node *yaml.Node) error {
	node = resolve(node)
	if node.Kind == yaml.ScalarNode && node.Style == 0 && octal.MatchString(node.Value) {
		return fmt.Errorf("%.40s begins with 0: write the number without it, or with quotes if it is a text", node.Value)
	}
	for _, child := range node.Content {
		if err := checkNumbers(child); err != nil {
			return err
		}
	}
	return nil
}

// printable returns at most 40 bytes of a text, in quotes if it would not print as it is.
func printable(text string) string {
	short := strings.ToValidUTF8(text[:min(len(text), 40)], "\uFFFD")
	if strings.ContainsFunc(short, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return strconv.Quote(short)
	}
	return short
}
