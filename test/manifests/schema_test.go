package manifests_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	eventingconfig "knative.dev/eventing/pkg/apis/config"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	eventingv1alpha1 "knative.dev/eventing/pkg/apis/eventing/v1alpha1"
	"knative.dev/eventing/pkg/apis/feature"
	"knative.dev/pkg/apis"
	servingconfig "knative.dev/serving/pkg/apis/config"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/yaml"
)

// kinds are the types of the shipped objects. Argo's are checked in ../argo.
var kinds = map[string]func() any{
	"v1 Namespace":                                    func() any { return &corev1.Namespace{} },
	"v1 ServiceAccount":                               func() any { return &corev1.ServiceAccount{} },
	"v1 ConfigMap":                                    func() any { return &corev1.ConfigMap{} },
	"monitoring.coreos.com/v1 PodMonitor":             func() any { return &monitoringv1.PodMonitor{} },
	"monitoring.coreos.com/v1 PrometheusRule":         func() any { return &monitoringv1.PrometheusRule{} },
	"v1 Secret":                                       func() any { return &corev1.Secret{} },
	"v1 Service":                                      func() any { return &corev1.Service{} },
	"apps/v1 Deployment":                              func() any { return &appsv1.Deployment{} },
	"batch/v1 Job":                                    func() any { return &batchv1.Job{} },
	"networking.k8s.io/v1 NetworkPolicy":              func() any { return &networkingv1.NetworkPolicy{} },
	"policy/v1 PodDisruptionBudget":                   func() any { return &policyv1.PodDisruptionBudget{} },
	"rbac.authorization.k8s.io/v1 Role":               func() any { return &rbacv1.Role{} },
	"rbac.authorization.k8s.io/v1 RoleBinding":        func() any { return &rbacv1.RoleBinding{} },
	"rbac.authorization.k8s.io/v1 ClusterRole":        func() any { return &rbacv1.ClusterRole{} },
	"rbac.authorization.k8s.io/v1 ClusterRoleBinding": func() any { return &rbacv1.ClusterRoleBinding{} },
	"serving.knative.dev/v1 Service":                  func() any { return &servingv1.Service{} },
	"eventing.knative.dev/v1 Broker":                  func() any { return &eventingv1.Broker{} },
	"eventing.knative.dev/v1 Trigger":                 func() any { return &eventingv1.Trigger{} },
	"eventing.knative.dev/v1alpha1 EventPolicy":       func() any { return &eventingv1alpha1.EventPolicy{} },
}

// TestObjects: every object has a known kind and only the fields of its kind, and Knative's webhook
// accepts it.
func TestObjects(t *testing.T) {
	ctx := clusterContext(t, features(t))
	each(t, func(t *testing.T, o object) {
		if o.APIVersion == "argoproj.io/v1alpha1" {
			return
		}
		kind, known := kinds[o.APIVersion+" "+o.Kind]
		if !known {
			t.Fatalf("%v: no test knows %s", o, o.APIVersion)
		}
		v := kind()
		o.into(t, v)
		if err := validate(ctx, v); err != nil {
			t.Errorf("%v: %v", o, err)
		}
	})
}

// TestObjectsAreWhereTheyBelong: each object has the expected namespace.
func TestObjectsAreWhereTheyBelong(t *testing.T) {
	each(t, func(t *testing.T, o object) {
		switch {
		case o.Kind == "Namespace":
		case o.Metadata.Namespace == "default" && strings.HasPrefix(o.Metadata.Name, "minio"):
		case o.Metadata.Namespace != "image-processing":
			t.Errorf("%v is in namespace %q", o, o.Metadata.Namespace)
		}
	})
}

// TestFeatures: the patch of Knative's flags is necessary and sufficient.
func TestFeatures(t *testing.T) {
	detect := &servingv1.Service{}
	find(t, "base", "Service", "ai-detection-grpc-service").into(t, detect)
	released := clusterContext(t, nil)
	err := validate(released, detect.DeepCopy())
	if err == nil || !strings.Contains(err.Error(), "nodeSelector") || !strings.Contains(err.Error(), "tolerations") {
		t.Errorf("with the flags as released: %v", err)
	}
	cpu := &servingv1.Service{}
	find(t, "cpu", "Service", "ai-detection-grpc-service").into(t, cpu)
	if err := validate(released, cpu); err != nil {
		t.Errorf("without a GPU no flag should be needed: %v", err)
	}
}

// TestPatches: a file for kubectl patch has only fields of the object that it patches.
func TestPatches(t *testing.T) {
	for file, v := range map[string]any{
		"config-features.yaml":      &corev1.ConfigMap{},
		"eventing-features.yaml":    &corev1.ConfigMap{},
		"argo-controller.yaml":      &appsv1.Deployment{},
		"gateway-8080-traefik.yaml": &corev1.Service{},
	} {
		if err := yaml.UnmarshalStrict(read(t, "config/cluster/"+file), v); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for document := range strings.SplitSeq(string(read(t, "config/cluster/argo-controller-role.yaml")), "\n---\n") {
		o := object{text: []byte(document)}
		if err := yaml.Unmarshal(o.text, &o); err != nil {
			t.Fatal(err)
		}
		o.into(t, kinds[o.APIVersion+" "+o.Kind]())
	}
}

// validate runs the validation of Knative's webhook.
func validate(ctx context.Context, v any) error {
	checked, ok := v.(interface {
		apis.Defaultable
		apis.Validatable
	})
	if !ok {
		return nil
	}
	checked.SetDefaults(ctx)
	if err := checked.Validate(ctx); err != nil { // no nil of its type in an error
		return err
	}
	return nil
}

// clusterContext returns the context of a webhook on a cluster with these flags of Serving, and
// with the flags of Eventing that the patch sets.
func clusterContext(t *testing.T, flags map[string]string) context.Context {
	t.Helper()
	f, err := servingconfig.NewFeaturesConfigFromMap(flags)
	if err != nil {
		t.Fatal(err)
	}
	ctx := servingconfig.ToContext(t.Context(), &servingconfig.Config{Features: f})
	var eventing corev1.ConfigMap
	if err := yaml.UnmarshalStrict(read(t, "config/cluster/eventing-features.yaml"), &eventing); err != nil {
		t.Fatal(err)
	}
	eventingFlags, err := feature.NewFlagsConfigFromMap(eventing.Data)
	if err != nil {
		t.Fatal(err)
	}
	ctx = feature.ToContext(ctx, eventingFlags)
	return eventingconfig.ToContext(apis.WithinCreate(ctx), &eventingconfig.Config{Defaults: &eventingconfig.Defaults{
		ClusterDefaultConfig: &eventingconfig.DefaultConfig{DefaultBrokerClass: "MTChannelBasedBroker"},
	}})
}

// features are the flags that the patch sets.
func features(t *testing.T) map[string]string {
	t.Helper()
	var patch corev1.ConfigMap
	if err := yaml.UnmarshalStrict(read(t, "config/cluster/config-features.yaml"), &patch); err != nil {
		t.Fatal(err)
	}
	return patch.Data
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
