package manifests_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// service returns o as a Service of Knative, or nil.
func service(t *testing.T, o object) *servingv1.Service {
	t.Helper()
	if o.APIVersion != "serving.knative.dev/v1" {
		return nil
	}
	s := &servingv1.Service{}
	o.into(t, s)
	return s
}

// pod returns the pod template of o, or nil.
func pod(t *testing.T, o object) (metav1.ObjectMeta, *corev1.PodSpec) {
	t.Helper()
	if s := service(t, o); s != nil {
		return s.Spec.Template.ObjectMeta, &s.Spec.Template.Spec.PodSpec
	}
	switch o.Kind {
	case "Job":
		j := &batchv1.Job{}
		o.into(t, j)
		return j.Spec.Template.ObjectMeta, &j.Spec.Template.Spec
	case "Deployment":
		d := &appsv1.Deployment{}
		o.into(t, d)
		return d.Spec.Template.ObjectMeta, &d.Spec.Template.Spec
	}
	return metav1.ObjectMeta{}, nil
}

// TestPodsAreRestricted runs Kubernetes' own check of the level that the namespace
// enforces.
func TestPodsAreRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	each(t, func(t *testing.T, o object) {
		meta, spec := pod(t, o)
		if spec == nil || o.Metadata.Namespace != "image-processing" {
			return
		}
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &meta, spec))
		if !result.Allowed {
			t.Errorf("%v: %s: %s", o, result.ForbiddenReason(), result.ForbiddenDetail())
		}
	})
	namespace := &corev1.Namespace{}
	find(t, "base", "Namespace", "image-processing").into(t, namespace)
	if got := namespace.Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("the namespace enforces %q", got)
	}
}

// TestContainers checks rules that the level "restricted" does not have.
func TestContainers(t *testing.T) {
	each(t, func(t *testing.T, o object) {
		_, spec := pod(t, o)
		if spec == nil {
			return
		}
		for _, c := range spec.Containers {
			if readOnly := c.SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || !*readOnly {
				t.Errorf("%v: the root of %s can be written", o, c.Name)
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%v: %s asks for %v", o, c.Name, c.Resources)
			}
			if strings.Contains(t.Name(), "/overlay") && !pinned(c.Image) {
				t.Errorf("%v: the image of %s is %s", o, c.Name, c.Image)
			}
		}
	})
}

// pinned reports whether an image has a digest or a tag other than latest.
func pinned(image string) bool {
	if strings.Contains(image, "@sha256:") {
		return true
	}
	tag := strings.LastIndex(image, ":")
	return tag > strings.LastIndex(image, "/") && image[tag:] != ":latest"
}

// TestServicesAreResident: each Service keeps at least one pod, and speaks HTTP/2 without TLS.
func TestServicesAreResident(t *testing.T) {
	each(t, func(t *testing.T, o object) {
		s := service(t, o)
		if s == nil {
			return
		}
		annotations := s.Spec.Template.Annotations
		if least, err := strconv.Atoi(annotations["autoscaling.knative.dev/min-scale"]); err != nil || least < 1 {
			t.Errorf("%v: min-scale %q", o, annotations["autoscaling.knative.dev/min-scale"])
		}
		if got := annotations["autoscaling.knative.dev/target-burst-capacity"]; got != "0" && got != "-1" {
			t.Errorf("%v: target-burst-capacity %q leaves the activator in the path at times", o, got)
		}
		if port := s.Spec.Template.Spec.Containers[0].Ports; len(port) != 1 || port[0].Name != "h2c" {
			t.Errorf("%v: ports %v", o, port)
		}
		if local := s.Labels["networking.knative.dev/visibility"] == "cluster-local"; local == (s.Name == "grpc-gateway") {
			t.Errorf("%v: cluster-local is %v", o, local)
		}
		if s.Spec.Template.Spec.TimeoutSeconds == nil {
			t.Errorf("%v has the default timeout", o)
		}
	})
}

// TestConcurrencyMatchesAdmission: a pod gets as many requests as its queue has places for, and
// another pod starts when the first has as many as it processes at once.
func TestConcurrencyMatchesAdmission(t *testing.T) {
	each(t, func(t *testing.T, o object) {
		s := service(t, o)
		if s == nil || s.Spec.Template.Labels["app.kubernetes.io/component"] != "processor" {
			return
		}
		spec := s.Spec.Template.Spec
		c := spec.Containers[0]
		active, queue := number(t, c, "MAX_ACTIVE_JOBS"), number(t, c, "QUEUE_LENGTH")
		if got := *spec.ContainerConcurrency; got != active+queue {
			t.Errorf("%v: containerConcurrency %d, want %d + %d", o, got, active, queue)
		}
		if got := s.Spec.Template.Annotations["autoscaling.knative.dev/target"]; got != strconv.FormatInt(active, 10) {
			t.Errorf("%v: target %s, want %d", o, got, active)
		}
		if cores := c.Resources.Limits.Cpu().Value(); active != 4*cores {
			t.Errorf("%v: %d active jobs on %d cores", o, active, cores)
		}
		if c.ReadinessProbe.GRPC == nil || c.ReadinessProbe.GRPC.Port != c.Ports[0].ContainerPort {
			t.Errorf("%v: readiness %v", o, c.ReadinessProbe)
		}
	})
}

func number(t *testing.T, c corev1.Container, variable string) int64 {
	t.Helper()
	for _, e := range c.Env {
		if e.Name == variable {
			n, err := strconv.ParseInt(e.Value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s has no %s", c.Name, variable)
	panic("unreachable")
}

// TestWhoOwnsTheGPU: at most one container has a GPU, its pod selects a node with a GPU, and the
// model runs there.
func TestWhoOwnsTheGPU(t *testing.T) {
	for render, want := range map[string]struct{ owner, runs string }{
		"base":               {"detect", "ONNXRUNTIME_PROVIDER=cuda"},
		"triton-sidecar":     {"triton", "INFERENCE_BACKEND=triton TRITON_GRPC_URL=localhost:8001"},
		"overlay production": {"triton", "INFERENCE_BACKEND=triton TRITON_GRPC_URL=localhost:8001"},
		"triton-elsewhere":   {"", "INFERENCE_BACKEND=triton TRITON_GRPC_URL=triton-service.default.svc.cluster.local:8001"},
		"cpu":                {"", "ONNXRUNTIME_PROVIDER=cpu"},
		"overlay test":       {"", "ONNXRUNTIME_PROVIDER=cpu"},
	} {
		s := service(t, find(t, render, "Service", "ai-detection-grpc-service"))
		got, spec := "", s.Spec.Template.Spec
		for _, c := range spec.Containers {
			if _, has := c.Resources.Limits["nvidia.com/gpu"]; has {
				got += c.Name
			}
		}
		if pins := len(spec.NodeSelector) > 0 && len(spec.Tolerations) > 0; got != want.owner || pins != (want.owner != "") {
			t.Errorf("%s: the GPU is of %q, and the pod is pinned: %v; want %q", render, got, pins, want.owner)
		}
		var runs []string
		for _, e := range spec.Containers[0].Env {
			if slices.Contains([]string{"INFERENCE_BACKEND", "ONNXRUNTIME_PROVIDER", "TRITON_GRPC_URL"}, e.Name) {
				runs = append(runs, e.Name+"="+e.Value)
			}
		}
		if got := strings.Join(runs, " "); got != want.runs {
			t.Errorf("%s: the model runs by %q, want %q", render, got, want.runs)
		}
	}
}

// TestEveryServiceHas: each Service has an account without a token, and a disruption budget.
func TestEveryServiceHas(t *testing.T) {
	each(t, func(t *testing.T, o object) {
		_, spec := pod(t, o)
		if spec == nil || o.Metadata.Namespace != "image-processing" {
			return
		}
		render := strings.ReplaceAll(strings.SplitN(t.Name(), "/", 2)[1], "_", " ")
		account := &corev1.ServiceAccount{}
		find(t, render, "ServiceAccount", spec.ServiceAccountName).into(t, account)
		if auto := account.AutomountServiceAccountToken; auto == nil || *auto {
			t.Errorf("%v gets a token", o)
		}
		if service(t, o) != nil {
			find(t, render, "PodDisruptionBudget", o.Metadata.Name)
		}
	})
}
