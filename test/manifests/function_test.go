package manifests_test

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// function has the fields of func.yaml that the project sets.
type function struct {
	SpecVersion string `json:"specVersion"`
	Name        string `json:"name"`
	Runtime     string `json:"runtime"`
	Namespace   string `json:"namespace"`
	Created     string `json:"created"`
	Invoke      string `json:"invoke"`
	Build       struct {
		Builder string `json:"builder"`
	} `json:"build"`
	Run struct {
		Envs []corev1.EnvVar `json:"envs"`
	} `json:"run"`
	Deploy struct {
		Namespace          string            `json:"namespace"`
		ServiceAccountName string            `json:"serviceAccountName"`
		Annotations        map[string]string `json:"annotations"`
		Labels             []struct{ Key, Value string }
		HealthEndpoints    struct{ Liveness, Readiness string }
		Options            struct {
			Scale     struct{ Min, Max, Target int }
			Resources struct {
				Requests map[string]string `json:"requests"`
				Limits   struct {
					CPU         string
					Memory      string
					Concurrency int64
				}
			}
		}
	} `json:"deploy"`
}

// TestFunctionIsTheGateway: func.yaml and config/base have the same settings.
func TestFunctionIsTheGateway(t *testing.T) {
	var f function
	if err := yaml.UnmarshalStrict(read(t, "func.yaml"), &f); err != nil {
		t.Fatal(err)
	}
	s := service(t, find(t, "base", "Service", "grpc-gateway"))
	spec := s.Spec.Template.Spec
	c := spec.Containers[0]
	annotations := maps.Clone(f.Deploy.Annotations)
	annotations["autoscaling.knative.dev/min-scale"] = strconv.Itoa(f.Deploy.Options.Scale.Min)
	annotations["autoscaling.knative.dev/max-scale"] = strconv.Itoa(f.Deploy.Options.Scale.Max)
	annotations["autoscaling.knative.dev/target"] = strconv.Itoa(f.Deploy.Options.Scale.Target)
	if !maps.Equal(annotations, s.Spec.Template.Annotations) {
		t.Errorf("annotations %v, want %v", annotations, s.Spec.Template.Annotations)
	}
	labels := map[string]string{}
	for _, l := range f.Deploy.Labels {
		labels[l.Key] = l.Value
	}
	if !maps.Equal(labels, s.Labels) {
		t.Errorf("labels %v, want %v", labels, s.Labels)
	}
	requests, limits := f.Deploy.Options.Resources.Requests, f.Deploy.Options.Resources.Limits
	for what, pair := range map[string][2]string{
		"name":            {f.Name, s.Name},
		"namespace":       {f.Namespace + " " + f.Deploy.Namespace, s.Namespace + " " + s.Namespace},
		"account":         {f.Deploy.ServiceAccountName, spec.ServiceAccountName},
		"liveness":        {f.Deploy.HealthEndpoints.Liveness, c.LivenessProbe.HTTPGet.Path},
		"readiness":       {f.Deploy.HealthEndpoints.Readiness, c.ReadinessProbe.HTTPGet.Path},
		"requested CPU":   {requests["cpu"], c.Resources.Requests.Cpu().String()},
		"requested bytes": {requests["memory"], c.Resources.Requests.Memory().String()},
		"limit of CPU":    {limits.CPU, c.Resources.Limits.Cpu().String()},
		"limit of bytes":  {limits.Memory, c.Resources.Limits.Memory().String()},
		"concurrency":     {strconv.FormatInt(limits.Concurrency, 10), strconv.FormatInt(*spec.ContainerConcurrency, 10)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: func.yaml has %q, base %q", what, pair[0], pair[1])
		}
	}
	sameVariables(t, f.Run.Envs, c.Env)
}

// notOfFunction are variables of base that the function does not use, for executions, chains and metrics, and
// the token, which func cannot make optional.
var notOfFunction = []string{"READ_FROM", "TRIGGERS_PATH", "METRICS_HOST", "GATEWAY_TOKEN"}

// sameVariables checks that the function has every other variable of base, except for the store's.
func sameVariables(t *testing.T, function, base []corev1.EnvVar) {
	t.Helper()
	got, want := map[string]string{}, map[string]string{}
	for _, e := range function {
		got[e.Name] = e.Value
	}
	for _, e := range base {
		if !strings.HasPrefix(e.Name, "MINIO_") && !slices.Contains(notOfFunction, e.Name) {
			want[e.Name] = e.Value
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("variables %v, want %v", got, want)
	}
	source, err := os.ReadFile(root + "/function.go")
	if err != nil {
		t.Fatal(err)
	}
	for name := range got {
		if !strings.Contains(string(source), `"`+name+`"`) && name != "GOMEMLIMIT" {
			t.Errorf("function.go does not read %s", name)
		}
	}
}
