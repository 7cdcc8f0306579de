package scenario

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// operation is a call of a path of /openapi.json.
type operation struct {
	method, pattern string
	path, body      string // the path is the pattern unless it is given
	code            int
	contains        string // a part of the answer, so that it is not an empty one
}

func operations(t *testing.T) []operation {
	inline := fmt.Sprintf(`"input_bytes":%q`, base64.StdEncoding.EncodeToString(jpegOf(t, 640, 480)))
	return []operation{
		{"GET", "/v1/health/resize", "", "", 200, "SERVING"},
		{"GET", "/v1/health/detect", "", "", 200, "SERVING"},
		{"GET", "/v1/health/filter", "", "", 200, "SERVING"},
		{"POST", "/v1/resize", "", `{"input_image":{"object_key":"a.jpg"},"target_width":320,"describe":true}`, 200, `"created_at":"2`},
		{
			"POST", "/v1/resize", "",
			`{"input_image":{"object_key":"a.jpg"},"target_width":300,"variant":"m","renditions":[{"variant":"s","target_width":64}]}`,
			200, "a_resize-s",
		},
		{"POST", "/v1/detect", "", `{` + inline + `,"draw_boxes":true}`, 200, `"model_name":"yolo"`},
		{"POST", "/v1/filter", "", `{` + inline + `,"filter_type":"FILTER_TYPE_BLUR","intensity":1}`, 200, "output_data"},
		{"POST", "/v1/pipeline", "", `{` + inline + `,` + chain + `}`, 200, `"filter":{`},
		{"POST", "/v1/info", "", `{` + inline + `,"exif":true,"location":true}`, 200, `"width":640`},
		{"GET", "/v1/info", "/v1/info?object_key=a.jpg", "", 200, `"width":640`},
		{"GET", "/v1/presets", "", "", 200, `"width":0`},
		{"GET", "/v1/formats", "", "", 200, "image/webp"},
		{"GET", "/v1/models", "", "", 200, "yolo"},
		{"GET", "/v1/models/{name}", "/v1/models/yolo", "", 200, "yolo"},
		{"GET", "/v1/models/{name}", "/v1/models/yolo?trial=true", "", 200, "yolo"},
		{"GET", "/v1/chains", "", "", 200, `"nodes":[{`},
		{"GET", "/v1/executions", "/v1/executions?page_size=1", "", 200, `"execution_id":"`},
		{"GET", "/v1/executions/{execution_id}", "/v1/executions/a", "", 200, "COMPLETED"},
		{"GET", "/v1/executions/{execution_id}", "/v1/executions/notes", "", 200, `"failure":{`},
		{"GET", "/v1/executions/{execution_id}", "/v1/executions/typed", "", 200, longType},
		{"GET", "/v1/dead-letters", "", "", 200, `"object_key":"notes.jpg"`},
		{"POST", "/v1/dead-letters:replay", "", `{"all":true,"dry_run":true}`, 200, "notes.jpg"},

		{"POST", "/v1/resize", "", `{"target_width":-1}`, 400, "field_violations"},
		{"POST", "/v1/resize", "", `{"input_image":{"object_key":"none.jpg"},"target_width":9}`, 404, "input_image"},
		{"GET", "/v1/executions/{execution_id}", "/v1/executions/none", "", 404, "none"},
		{"GET", "/v1/models/{name}", "/v1/models/none", "", 404, "none"},
	}
}

// longType is a content type that an object may have and a request may not.
var longType = "image/jpeg; note=" + strings.Repeat("a", 100)

// TestAnswersAgreeWithOpenAPI: each path of /openapi.json answers, and the answers have the schemas of the description and
// no members that it does not have.
func TestAnswersAgreeWithOpenAPI(t *testing.T) {
	s := local(t, setup{
		env:   []string{"IMAGE_SIGNING_KEYS=" + imageKey, "IMAGE_OPTIONS=true"},
		flags: []string{"--presets", cropPresets(t)},
	})
	s.put(t, "typed.jpg", longType, jpegOf(t, 64, 48))
	s.put(t, "a.jpg", "image/jpeg", jpegOf(t, 640, 480))
	s.put(t, "notes.jpg", "image/jpeg", []byte("dear diary"))
	eventually(t, "the chains", func() bool { return s.tag(t, "a.jpg") == "completed" && s.tag(t, "notes.jpg") == "failed" })
	d := s.describedAPI(t)
	answered := map[string]bool{"GET " + watchPattern: true, "GET " + imagesPattern: true}
	watchAgrees(t, s, d)
	imagesAgree(t, s, d)
	for _, c := range operations(t) {
		path := c.path
		if path == "" {
			path = c.pattern
		}
		name := fmt.Sprint(c.method, " ", path, " ", c.code)
		code, answer := s.request(t, c.method, path, c.body)
		if code != c.code || !strings.Contains(answer, c.contains) {
			t.Errorf("%s: %d %.500s", name, code, answer)
			continue
		}
		if err := d.check(c, answer); err != nil {
			t.Errorf("%s: %v\n%.2000s", name, err, answer)
		}
		answered[c.method+" "+c.pattern] = true
	}
	for path, methods := range d.paths {
		for method := range methods.(map[string]any) {
			if !answered[strings.ToUpper(method)+" "+path] {
				t.Errorf("no answer of %s %s was checked", method, path)
			}
		}
	}
}

// request returns the code and the body of the gateway's answer.
func (s *system) request(t *testing.T, method, path, body string) (code int, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, s.url("gateway", path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// describedAPI is /openapi.json.
type describedAPI struct {
	paths    map[string]any
	compiler *jsonschema.Compiler
}

const openAPIName = "openapi.json"

// document returns /openapi.json.
func (s *system) document(t *testing.T) (document map[string]any) {
	t.Helper()
	_, text := s.request(t, "GET", "/"+openAPIName, "")
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	return document
}

func (s *system) describedAPI(t *testing.T) describedAPI {
	t.Helper()
	document := s.document(t)
	for _, schema := range document["components"].(map[string]any)["schemas"].(map[string]any) {
		if schema := schema.(map[string]any); schema["properties"] != nil {
			schema["additionalProperties"] = false // of answers, everything is described
		}
	}
	d := describedAPI{document["paths"].(map[string]any), jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(openAPIName, document); err != nil {
		t.Fatal(err)
	}
	return d
}

// check compares an answer with its schema.
func (d describedAPI) check(c operation, answer string) error {
	at := fmt.Sprintf("/paths/%s/%s/responses/%d", strings.ReplaceAll(c.pattern, "/", "~1"), strings.ToLower(c.method), c.code)
	if c.code != http.StatusOK {
		at = fmt.Sprintf("/components/responses/%d", c.code)
	}
	schema, err := d.compiler.Compile(openAPIName + "#" + at + "/content/application~1json/schema")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
