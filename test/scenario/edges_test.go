package scenario

import (
	"fmt"
	"strings"
)

// edges returns values just outside the ranges that a schema has, and values at the ends of the ranges.
func (r *ranges) edges(schema map[string]any) (outside, atEnds []any) {
	for keyword, limit := range schema {
		wrong, right := numberEdge(schema, keyword, limit)
		if wrong == nil {
			wrong, right = textEdge(schema, keyword, limit)
		}
		if wrong == nil {
			wrong, right = r.sizeEdge(schema, keyword, limit)
		}
		if wrong != nil {
			outside, atEnds = append(outside, wrong), append(atEnds, right)
		}
	}
	return outside, atEnds
}

// numberEdge returns numbers at both sides of the limit of a keyword, or nil for other keywords.
func numberEdge(schema map[string]any, keyword string, limit any) (wrong, right any) {
	step := 1.0
	if schema["type"] == "number" {
		step = 1e-5
	}
	n, _ := limit.(float64)
	switch keyword {
	case "minimum":
		return n - step, n
	case "maximum":
		return n + step, n
	case "exclusiveMinimum":
		return n, n + step
	case "not":
		end := limit.(map[string]any)["exclusiveMaximum"].(float64)
		return end - step, end
	case "enum":
		if last, ok := limit.([]any)[len(limit.([]any))-1].(float64); ok {
			return last + step, last
		}
	}
	return nil, nil
}

// textEdge does the same with texts.
func textEdge(schema map[string]any, keyword string, limit any) (wrong, right any) {
	n, _ := limit.(float64)
	switch {
	case keyword == "pattern" && strings.HasPrefix(limit.(string), "^$|"):
		return "!", ""
	case keyword == "minLength":
		return "", "a"
	case keyword == "maxLength" && schema["format"] == "byte":
		return strings.Repeat("A", int(n)+4), strings.Repeat("A", int(n)-1) + "="
	case keyword == "maxLength":
		return strings.Repeat("a", int(n)+1), strings.Repeat("a", int(n))
	}
	return nil, nil
}

// sizeEdge does the same with lists and objects.
func (r *ranges) sizeEdge(schema map[string]any, keyword string, limit any) (wrong, right any) {
	items, _ := schema["items"].(map[string]any)
	n, _ := limit.(float64)
	switch keyword {
	case "maxItems":
		return r.list(items, int(n)+1), r.list(items, int(n))
	case "uniqueItems":
		return append(r.list(items, 1), r.list(items, 1)...), r.list(items, 1)
	case "maxProperties":
		return manyMembers(schema, int(n)+1), manyMembers(schema, int(n))
	}
	return nil, nil
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
