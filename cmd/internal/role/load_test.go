package role_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/processors"
)

const signingKey = "a key of events for these tests only"

// needed sets the required variables.
func needed(t *testing.T) {
	for name, value := range map[string]string{
		"MINIO_ENDPOINT": "127.0.0.1:9000", "MINIO_ACCESS_KEY": "user", "MINIO_SECRET_KEY": "password",
		"BROKER_URL": "http://127.0.0.1:8090", "BRIDGE_TOKEN": "the-bridge-token",
		"EVENT_SIGNING_KEYS": signingKey,
	} {
		t.Setenv(name, value)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	needed(t)
	for _, r := range role.All {
		c := r.Config()
		if err := role.Load(c); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}

func TestMissingVariablesAreNamed(t *testing.T) {
	for name, needs := range map[string][]string{
		"resize": {"MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "EVENT_SIGNING_KEYS"},
		"bridge": {"MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "BROKER_URL", "BRIDGE_TOKEN", "EVENT_SIGNING_KEYS"},
	} {
		c := configOf(t, name)
		if err := role.Load(c); err != nil {
			t.Fatal(err)
		}
		wantNames(t, c.Validate(), needs...)
	}
}

// TestBadVariablesAreNamed: one error names all invalid variables, also those of embedded structs.
func TestBadVariablesAreNamed(t *testing.T) {
	needed(t)
	for name, value := range map[string]string{
		"PORT": "http", "DRAIN_DELAY": "1", "MINIO_SECURE": "maybe", "QUEUE_LENGTH": "many", "ONNXRUNTIME_THREADS": "1.5",
	} {
		t.Setenv(name, value)
	}
	wantNames(t, role.Load(configOf(t, "detect")), "PORT", "DRAIN_DELAY", "MINIO_SECURE", "QUEUE_LENGTH", "ONNXRUNTIME_THREADS")
}

func TestVariablesOutOfRangeAreNamed(t *testing.T) {
	needed(t)
	bad := map[string]string{
		"PORT": "65536", "DRAIN_DELAY": "-1s", "DRAIN_TIMEOUT": "-1s", "MAX_CONNECTION_AGE": "-1s", "QUEUE_LENGTH": "-1",
		"MAX_ACTIVE_JOBS": "-1", "MAX_DECODED_BYTES": "0", "MAX_OBJECT_BYTES": "0", "MAX_IMAGE_SIDE": "0", "MAX_IMAGE_PIXELS": "0",
		"MAX_ANIMATION_FRAMES": "0", "MAX_ANIMATION_PIXELS": "0",
		"ONNXRUNTIME_THREADS": "0", "REQUEST_TIMEOUT": "0s", "MAX_BODY_BYTES": "0",
	}
	for name, value := range bad {
		t.Setenv(name, value)
	}
	of := map[string][]string{
		"gateway": {"PORT", "DRAIN_DELAY", "DRAIN_TIMEOUT", "MAX_CONNECTION_AGE", "REQUEST_TIMEOUT", "MAX_BODY_BYTES"},
	}
	for name := range bad {
		if name != "REQUEST_TIMEOUT" && name != "MAX_BODY_BYTES" {
			of["detect"] = append(of["detect"], name)
		}
	}
	for name, names := range of {
		c := configOf(t, name)
		if err := role.Load(c); err != nil {
			t.Fatal(err)
		}
		wantNames(t, c.Validate(), names...)
	}
}

// TestUsageListsEveryVariable: the usage has each variable of a config with its description.
func TestUsageListsEveryVariable(t *testing.T) {
	for _, r := range role.All {
		var out bytes.Buffer
		if err := role.Usage(&out, r.Config()); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
		fields := reflect.VisibleFields(reflect.TypeOf(r.Config()).Elem())
		want := 0
		for _, f := range fields {
			if f.Anonymous || f.Tag.Get("ignored") != "" {
				continue
			}
			want++
			if text := f.Tag.Get("desc"); text == "" || !strings.Contains(out.String(), text) {
				t.Errorf("%s: %s is not described", r.Name, f.Name)
			}
		}
		if r.Name == "gateway" {
			want += len(processors.All) // the endpoints of the processors
		}
		if len(lines) != want {
			t.Errorf("%s: %d lines for %d variables:\n%s", r.Name, len(lines), want, out.String())
		}
	}
}

func configOf(t *testing.T, name string) role.Config {
	t.Helper()
	for _, r := range role.All {
		if r.Name == name {
			return r.Config()
		}
	}
	t.Fatalf("no role %s", name)
	return nil
}

// wantNames checks that an error has exactly one line for each of the variables.
func wantNames(t *testing.T, err error, names ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("nothing is reported of %v", names)
	}
	lines := strings.Split(err.Error(), "\n")
	for _, name := range names {
		n := 0
		for _, line := range lines {
			if strings.HasPrefix(line, name+" ") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is reported %d times:\n%v", name, n, err)
		}
	}
	if len(lines) != len(names) {
		t.Errorf("%d lines for %d variables:\n%v", len(lines), len(names), err)
	}
}
