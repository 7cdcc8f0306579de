package newprocessor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the root of the repository.
const root = "../.."

// edit replaces text in an existing file, once.
type edit struct{ file, old, new string }

// edits are the changes to existing files that add the processor invert. Its own files
// are in testdata.
var edits = []edit{
	after("proto/imageflow/v1/pipeline.proto", "import \"imageflow/v1/filter.proto\";\n", "import \"imageflow/v1/invert.proto\";\n"),
	after("proto/imageflow/v1/pipeline.proto", "this.filter", ", this.invert"),
	after("proto/imageflow/v1/pipeline.proto", "    FilterRequest filter = 3 [(buf.validate.field).ignore = IGNORE_ALWAYS];\n",
		"    InvertRequest invert = 4 [(buf.validate.field).ignore = IGNORE_ALWAYS];\n"),
	after("proto/imageflow/v1/pipeline.proto", "    FilterResponse filter = 3;\n", "    InvertResponse invert = 4;\n"),

	after("internal/processors/processors.go", "var All = []Info{Resize, Detect, Filter", ", Invert"),
	after("internal/processors/processors.go", "\tJSON: []JSONHandler{imageflowv1.RegisterFilterServiceHandler},\n}\n", `
// Invert inverts the colours of images.
var Invert = Info{
	Name: "invert", Summary: "inverts the colours of images", Suffix: "invert",
	Service: imageflowv1.InvertService_ServiceDesc.ServiceName,
	Host:    "invert-grpc-service", EndpointVariable: "INVERT_GRPC_ENDPOINT", LocalPort: 8086,
	JSON: []JSONHandler{imageflowv1.RegisterInvertServiceHandler},
}
`),

	after("cmd/internal/role/processors.go", "\t\"imageflow.dev/functions/filter\"\n", "\t\"imageflow.dev/functions/invert\"\n"),
	after("cmd/internal/role/processors.go", "\tplain(filter.Processor),\n", "\tplain(invert.Processor),\n"),

	after("config/base/kustomization.yaml", "  - filter-grpc-service.yaml\n", "  - invert-grpc-service.yaml\n"),

	after("config/minio-policies/kustomization.yaml", "filter.json, ", "invert.json, "),
	{"config/minio-policies/kustomization.yaml", "patches:\n", `patches:
  - target: {group: serving.knative.dev, kind: Service, name: invert-grpc-service}
    patch: |
      - {op: replace, path: /spec/template/spec/containers/0/env/1/valueFrom/secretKeyRef/name, value: minio-credentials-invert}
      - {op: replace, path: /spec/template/spec/containers/0/env/2/valueFrom/secretKeyRef/name, value: minio-credentials-invert}
`},
	after("config/minio-policies/kustomization.yaml", "{key: secret-key, path: filter/secret-key}]}\n",
		"                - secret: {name: minio-credentials-invert, items: ["+
			"{key: access-key, path: invert/access-key}, {key: secret-key, path: invert/secret-key}]}\n"),

	after("config/monitoring/rules.yaml", `            or absent(imageflow_job_active_limit{step="filter"})`+"\n",
		`            or absent(imageflow_job_active_limit{step="invert"})`+"\n"),
}

// after returns an edit that inserts text after other text.
func after(file, old, text string) edit { return edit{file, old, old + text} }

// copyTree copies what the processor needs of the repository, with invert added, and
// returns the folder of the copy.
func copyTree(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, part := range []string{"proto", "internal/processors", "cmd/internal/role", "config", "eventing", "hack/tools"} {
		copyFolder(t, filepath.Join(root, part), filepath.Join(folder, part))
	}
	for _, file := range []string{"buf.yaml", "buf.gen.yaml", "go.mod", "go.sum"} {
		write(t, filepath.Join(folder, file), read(t, filepath.Join(root, file)))
	}
	copyFolder(t, "testdata", folder)
	for _, e := range edits {
		file := filepath.Join(folder, e.file)
		text := read(t, file)
		if strings.Count(text, e.old) != 1 {
			t.Fatalf("%s has %q %d times, want once", e.file, e.old, strings.Count(text, e.old))
		}
		write(t, file, strings.Replace(text, e.old, e.new, 1))
	}
	return folder
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		a, b := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		if e.IsDir() {
			copyFolder(t, a, b)
		} else {
			write(t, b, read(t, a))
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
