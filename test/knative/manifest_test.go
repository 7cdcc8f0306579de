package knative_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"knative.dev/eventing/pkg/apis/config"
	knative "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/yaml"
)

// TestKnativeTakesOurManifests runs the validation of Knative's webhook.
func TestKnativeTakesOurManifests(t *testing.T) {
	ctx := config.ToContext(t.Context(), &config.Config{Defaults: &config.Defaults{
		ClusterDefaultConfig: &config.DefaultConfig{DefaultBrokerClass: "MTChannelBasedBroker"}, // as it is shipped
	}})
	count := 0
	for _, pattern := range []string{"*.yaml", "examples/*.yaml"} {
		files, err := filepath.Glob(filepath.Join("../../eventing", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %q, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for document := range strings.SplitSeq(string(text), "\n---\n") {
				count++
				if err := knativeValidates(ctx, document); err != nil {
					t.Errorf("%s: %v\n%s", file, err, document)
				}
			}
		}
	}
	if count < 7 {
		t.Errorf("only %d documents", count)
	}
}

func knativeValidates(ctx context.Context, document string) error {
	var kind struct{ Kind string }
	if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
		return err
	}
	var object interface {
		apis.Defaultable
		apis.Validatable
	} = &knative.Broker{}
	if kind.Kind == "Trigger" {
		object = &knative.Trigger{}
	}
	if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
		return err
	}
	object.SetDefaults(ctx)
	if err := object.Validate(ctx); err != nil { // no nil of its type in an error
		return err
	}
	return nil
}
