package manifests_test

import (
	"slices"
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

// TestFunctionFitsBase: func.yaml deploys beside the Services of config/base, into their namespace, and its calls
// reach the processors.
func TestFunctionFitsBase(t *testing.T) {
	var f function
	if err := yaml.UnmarshalStrict(read(t, "func/func.yaml"), &f); err != nil {
		t.Fatal(err)
	}
	gateway := service(t, find(t, "base", "Service", "grpc-gateway"))
	for what, pair := range map[string][2]string{
		"namespace": {f.Namespace, gateway.Namespace}, "namespace of deploy": {f.Deploy.Namespace, gateway.Namespace},
		"account": {f.Deploy.ServiceAccountName, gateway.Spec.Template.Spec.ServiceAccountName},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: func.yaml has %q, base %q", what, pair[0], pair[1])
		}
	}
	domain := corev1.EnvVar{Name: "PROCESSOR_DOMAIN", Value: gateway.Namespace + ".svc.cluster.local"}
	if !slices.Equal(f.Run.Envs, []corev1.EnvVar{domain}) {
		t.Errorf("variables %v, want %v", f.Run.Envs, domain)
	}
	find(t, "base", "ServiceAccount", f.Deploy.ServiceAccountName)
	all, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]string{"serving.knative.dev/service": f.Name}
	for _, l := range f.Deploy.Labels {
		own[l.Key] = l.Value
	}
	rules := selected(t, egress(t, all["base"]), own)
	if !opens(rules, "kube-system", 53) || !opens(rules, "traefik", 8000) {
		t.Errorf("the function can not reach the DNS and the ingress: %v", rules)
	}
}
