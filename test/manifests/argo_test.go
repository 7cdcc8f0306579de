package manifests_test

import (
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"sigs.k8s.io/yaml"

	_ "imageflow.dev/proto/imageflow/v1"
)

// messages holds the message that the gateway reads at each path.
var messages = map[string]protoreflect.FullName{
	"/v1/resize":   "imageflow.v1.ResizeRequest",
	"/v1/detect":   "imageflow.v1.DetectionRequest",
	"/v1/filter":   "imageflow.v1.FilterRequest",
	"/v1/pipeline": "imageflow.v1.RunPipelineRequest",
}

// workflowTemplate has the parts of a WorkflowTemplate that make requests.
type workflowTemplate struct {
	Spec struct {
		Templates []struct {
			Name string
			HTTP *struct{ URL, Body string }
		}
	}
}

// TestRequestsOfWorkflows: the requests of the workflows are valid by the contract.
func TestRequestsOfWorkflows(t *testing.T) {
	parameters := strings.NewReplacer("{{workflow.parameters.gateway}}", "",
		"{{workflow.parameters.execution-id}}", "uploads/cat", "{{workflow.parameters.input-file}}", "uploads/cat.png",
		"{{inputs.parameters.input-file}}", "uploads/cat.png", "{{inputs.parameters.output-file}}", "uploads/cat_resize.png")
	count := 0
	for _, name := range []string{"grpc-image-processing", "image-pipeline"} {
		var w workflowTemplate
		o := find(t, "argo", "WorkflowTemplate", name)
		if err := yaml.Unmarshal(o.text, &w); err != nil {
			t.Fatal(err)
		}
		for _, step := range w.Spec.Templates {
			if step.HTTP == nil {
				continue
			}
			count++
			path := parameters.Replace(step.HTTP.URL)
			kind, err := protoregistry.GlobalTypes.FindMessageByName(messages[path])
			if err != nil {
				t.Errorf("%s calls %s: %v", step.Name, path, err)
				continue
			}
			request := kind.New().Interface()
			if err := protojson.Unmarshal([]byte(parameters.Replace(step.HTTP.Body)), request); err != nil {
				t.Errorf("%s: %v", step.Name, err)
			} else if err := protovalidate.Validate(request); err != nil {
				t.Errorf("%s: %v", step.Name, err)
			}
		}
	}
	if count != 4 {
		t.Errorf("%d requests, want 4", count)
	}
}
