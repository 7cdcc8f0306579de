package scenario

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRangesInOpenAPI_areTheGateways: the gateway refuses values just outside each range in /openapi.json and names the field,
// and does not refuse values at its ends for the same reason.
func TestRangesInOpenAPI_areTheGateways(t *testing.T) {
	s := local(t, setup{flags: []string{"--presets", cropPresets(t)}})
	s.put(t, "a.jpg", "image/jpeg", jpegOf(t, 64, 48))
	eventually(t, "the chain", func() bool { return s.tag(t, "a.jpg") == "completed" })
	document := s.document(t)
	r := &ranges{T: t, system: s, schemas: document["components"].(map[string]any)["schemas"].(map[string]any), valid: validParts(t)}
	for path, methods := range document["paths"].(map[string]any) {
		if path == "/v1/images/{key}" { // the URL of an image has a signature, of which an answer with 400 has no field
			continue
		}
		for method, operation := range methods.(map[string]any) {
			r.visited = map[string]bool{"PipelineStep": true} // its parts are requests of other paths
			r.operation(strings.ToUpper(method), path, operation.(map[string]any))
		}
	}
	if r.refused < 150 {
		t.Errorf("%d values were refused", r.refused)
	}
}

// cropPresets returns a file with a preset that has values above 0, without which requests need them, and a pipeline that has 0.
func cropPresets(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "presets.yaml")
	const text = `
presets:
  crop: {resize: {crop: {width: 10, height: 10}}}
pipelines:
  left: [{resize: {preset: crop, crop: {left: 5}}}]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// ranges tries the edges of the ranges in a description.
type ranges struct {
	*testing.T
	*system
	schemas map[string]any
	// valid has members with which messages are valid, by the name of their schemas.
	valid   map[string]map[string]any
	visited map[string]bool // schemas of the operation
	refused int
}

func validParts(t *testing.T) map[string]map[string]any {
	inline := base64.StdEncoding.EncodeToString(jpegOf(t, 64, 48))
	step := map[string]any{"resize": map[string]any{"target_width": 8}}
	return map[string]map[string]any{
		"ResizeRequest":            {"input_bytes": inline, "target_width": 8, "preset": "crop"},
		"DetectionRequest":         {"input_bytes": inline},
		"FilterRequest":            {"input_bytes": inline, "filter_type": "blur", "intensity": 1},
		"RunPipelineRequest":       {"input_bytes": inline, "steps": []any{step}},
		"DescribeImageRequest":     {"input_bytes": inline},
		"ReplayDeadLettersRequest": {"dry_run": true},
		"BoundingBox":              {"x2": 1, "y2": 1},
		"Objects":                  {"detected": true},
		"Redaction":                {"detected": true},
		"Rendition":                {"variant": "v", "target_width": 8},
		"Watermark":                {"image_bytes": inline},
	}
}

// attempt sends a request with a value and returns the field that a refusal names, and its reason.
type attempt func(value any) (field, reason string)

func (r *ranges) operation(method, path string, operation map[string]any) {
	if body, ok := operation["requestBody"].(map[string]any); ok {
		schema := body["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)
		r.value(schema, "", func(value any) (field, reason string) {
			text, err := json.Marshal(value)
			if err != nil {
				r.Fatal(err)
			}
			return r.refusal(method, path, string(text))
		})
		return
	}
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		parameter := p.(map[string]any)
		if name := parameter["name"].(string); parameter["in"] == "query" && name != "input_bytes" {
			r.value(parameter["schema"].(map[string]any), name, func(value any) (field, reason string) {
				return r.refusal(method, existing.Replace(path)+"?"+query(name, value), "")
			})
		}
	}
}

// existing replaces the parameters of paths with names that exist.
var existing = strings.NewReplacer("{execution_id}", "a", "{name}", "yolo")

func query(name string, value any) string {
	values := url.Values{}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, v := range list {
		values.Add(name, fmt.Sprint(v))
	}
	return values.Encode()
}

// refusal sends a request and returns the field that a refusal names, and its reason. It has the status 404 for the version of a
// model, and otherwise 400.
func (r *ranges) refusal(method, path, body string) (field, reason string) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel() // ends a watch
	req, err := http.NewRequestWithContext(ctx, method, r.url("gateway", path), strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	isMissing := resp.StatusCode == http.StatusNotFound && strings.HasPrefix(path, "/v1/models/")
	if resp.StatusCode != http.StatusBadRequest && !isMissing {
		return "", ""
	}
	var status struct {
		Details []struct {
			Violations []struct{ Field, Description string } `json:"field_violations"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		r.Fatal(err)
	}
	for _, detail := range status.Details {
		for _, v := range detail.Violations {
			return v.Field, v.Description
		}
	}
	return "", ""
}

// value tries the edges of a value at a path, and of its parts.
func (r *ranges) value(schema map[string]any, path string, try attempt) {
	if to, ok := schema["$ref"].(string); ok {
		name := to[strings.LastIndex(to, "/")+1:]
		if schema := r.schemas[name].(map[string]any); !r.visited[name] {
			r.visited[name] = true
			r.message(schema, path, func(member map[string]any) (field, reason string) {
				message := map[string]any{}
				maps.Copy(message, r.valid[name])
				maps.Copy(message, member)
				return try(message)
			})
		}
		return
	}
	if items, ok := schema["items"].(map[string]any); ok {
		r.value(items, path+"[0]", func(value any) (field, reason string) { return try([]any{value}) })
	}
	if values, ok := schema["additionalProperties"].(map[string]any); ok {
		r.value(values, path, func(value any) (field, reason string) { return try(map[string]any{"0": value}) })
	}
	if names, ok := schema["propertyNames"].(map[string]any); ok {
		r.value(names, path, func(value any) (field, reason string) { return try(map[string]any{value.(string): 1}) })
	}
	outside, atEnds := r.edges(schema)
	var reasons []string
	for _, value := range outside {
		field, reason := try(value)
		if !strings.HasPrefix(field, path) || field == "" {
			r.Errorf("%s = %.40v is outside its range, but not refused: %q %s", path, value, field, reason)
		}
		reasons = append(reasons, reason)
		r.refused++
	}
	for _, value := range atEnds {
		if field, reason := try(value); strings.HasPrefix(field, path) && slices.Contains(reasons, reason) {
			r.Errorf("%s = %.40v is in its range, but refused: %s", path, value, reason)
		}
	}
}

// message tries the members of a message.
func (r *ranges) message(schema map[string]any, path string, try func(map[string]any) (field, reason string)) {
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		r.value(properties[name].(map[string]any), strings.TrimPrefix(path+"."+name, "."), func(value any) (field, reason string) {
			return try(map[string]any{name: value})
		})
	}
}
