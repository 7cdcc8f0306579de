package scenario

import (
	"fmt"
	"strings"
)

// maxElements is the number of elements of JSON from which the gateway does not read a request.
const maxElements = 1000

// edges returns values just outside the ranges that a schema has, and values at the ends of the ranges.
func (r *ranges) edges(schema map[string]any) (outside, atEnds []any) {
	add := func(wrong, right any) { outside, atEnds = append(outside, wrong), append(atEnds, right) }
	step := 1.0
	if schema["type"] == "number" {
		step = 1e-5
	}
	for keyword, limit := range schema {
		n, _ := limit.(float64)
		switch keyword {
		case "minimum":
			add(n-step, n)
		case "maximum":
			add(n+step, n)
		case "exclusiveMinimum":
			add(n, n+step)
		case "not":
			end := limit.(map[string]any)["exclusiveMaximum"].(float64)
			add(end-step, end)
		case "enum":
			all := limit.([]any)
			add(all[len(all)-1].(float64)+step, all[0])
		case "pattern":
			if strings.HasPrefix(limit.(string), "^$|") {
				add("!", "")
			}
		case "minLength":
			add("", "a")
		case "maxLength":
			if schema["format"] == "byte" {
				add(strings.Repeat("A", int(n)+4), strings.Repeat("A", int(n)-1)+"=")
			} else {
				add(strings.Repeat("a", int(n)+1), strings.Repeat("a", int(n)))
			}
		case "maxItems":
			if items := schema["items"].(map[string]any); n < maxElements {
				add(r.list(items, int(n)+1), r.list(items, int(n)))
			}
		case "uniqueItems":
			outside = append(outside, []any{1, 1})
		case "maxProperties":
			add(manyMembers(schema, int(n)+1), manyMembers(schema, int(n)))
		}
	}
	return outside, atEnds
}

// list returns a list of different items, as far as there are so many.
func (r *ranges) list(items map[string]any, n int) []any {
	schema, name := items, ""
	if to, ok := items["$ref"].(string); ok {
		name = to[strings.LastIndex(to, "/")+1:]
		schema = r.schemas[name].(map[string]any)
	}
	all := make([]any, n)
	for i := range all {
		switch names, isEnum := schema["enum"].([]any); {
		case isEnum:
			all[i] = names[1+i%(len(names)-1)]
		case schema["type"] == "string":
			all[i] = fmt.Sprint(i)
		default:
			if all[i] = r.valid[name]; r.valid[name] == nil {
				all[i] = map[string]any{}
			}
		}
	}
	return all
}

// manyMembers returns an object with n members of numbers or texts.
func manyMembers(schema map[string]any, n int) map[string]any {
	all := map[string]any{}
	for i := range n {
		all[fmt.Sprint(i)] = 1
		if schema["additionalProperties"].(map[string]any)["type"] == "string" {
			all[fmt.Sprint(i)] = "1"
		}
	}
	return all
}
