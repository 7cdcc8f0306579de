package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	"imageflow.dev/internal/processors"
)

// The Services beside the processors'.
const (
	gatewayService = "grpc-gateway"
	bridgeService  = "bridge"
	notifyService  = "notify"
)

var resizeService = processors.Resize.Host

// allServices returns the Services in the namespace.
func (d *Doctor) allServices(ctx context.Context) ([]servingv1.Service, error) {
	services, err := d.Serving.ServingV1().Services(d.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	return services.Items, nil
}

// variables returns the environment of a Service's containers.
func variables(s servingv1.Service) (all []corev1.EnvVar) {
	for _, c := range s.Spec.Template.Spec.Containers {
		all = append(all, c.Env...)
	}
	return all
}

// variable returns a variable of a Service's containers; empty if there is none.
func variable(s servingv1.Service, name string) corev1.EnvVar {
	all := variables(s)
	if i := slices.IndexFunc(all, func(v corev1.EnvVar) bool { return v.Name == name }); i >= 0 {
		return all[i]
	}
	return corev1.EnvVar{}
}

// secretOf returns the key of a secret that has the value of a variable; nil if there is none.
func secretOf(v corev1.EnvVar) *corev1.SecretKeySelector {
	if v.ValueFrom == nil {
		return nil
	}
	return v.ValueFrom.SecretKeyRef
}

func isOptional(s *corev1.SecretKeySelector) bool { return s.Optional != nil && *s.Optional }

// unready returns why an object is not ready, or an empty text if it is ready.
func unready(generation int64, s duckv1.Status) string {
	ready := s.GetCondition(apis.ConditionReady)
	switch {
	case ready == nil:
		return "no status yet"
	case s.ObservedGeneration < generation:
		return "not seen by its controller yet"
	case ready.IsTrue():
		return ""
	}
	return strings.TrimSpace(cmp.Or(ready.Reason, "not ready") + " " + ready.Message)
}

// runningPod returns a running pod of a Service; nil if there is none.
func (d *Doctor) runningPod(ctx context.Context, service string) *corev1.Pod {
	pods, err := d.RunningPods(ctx, service)
	if err != nil || len(pods) == 0 {
		return nil
	}
	return &pods[0]
}

// userContainer returns the container of a Service's pod that is not Knative's.
func userContainer(pod *corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		if c.Name != cluster.QueueProxy {
			return c.Name
		}
	}
	return ""
}

func (d *Doctor) describePods(service string) string {
	return fmt.Sprintf("kubectl describe pods -n %s -l %s=%s", d.Namespace, serving.ServiceLabelKey, service)
}

// services also reports why the pods of a Service do not start, since Knative may take minutes to do so.
func (d *Doctor) services(ctx context.Context) (string, *finding) {
	all, err := d.allServices(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	var names, reasons, fixes []string
	for _, s := range all {
		names = append(names, s.Name)
		if reason := unready(s.Generation, s.Status.Status); reason != "" && s.Name != notifyService {
			reasons = append(reasons, s.Name+": "+reason+d.pending(ctx, s))
			fixes = append(fixes, d.describePods(s.Name))
		}
	}
	wanted := []string{gatewayService, bridgeService}
	for _, p := range processors.All {
		wanted = append(wanted, p.Host)
	}
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			reasons = append(reasons, name+" does not exist")
			fixes = append(fixes, deploy)
		}
	}
	if len(reasons) > 0 {
		return "", &finding{strings.Join(reasons, "\n"), strings.Join(slices.Compact(fixes), "\n")}
	}
	return strings.Join(names, ", "), nil
}

// pending returns why the pods of a Service's latest revision are not scheduled, or why their containers do not start.
func (d *Doctor) pending(ctx context.Context, s servingv1.Service) string {
	ofRevision := metav1.ListOptions{LabelSelector: serving.RevisionLabelKey + "=" + s.Status.LatestCreatedRevisionName}
	pods, err := d.Kube.CoreV1().Pods(d.Namespace).List(ctx, ofRevision)
	if err != nil {
		return ""
	}
	reasons := ""
	for _, pod := range pods.Items {
		for _, s := range pod.Status.Conditions {
			if s.Type == corev1.PodScheduled && s.Status == corev1.ConditionFalse {
				reasons += fmt.Sprintf("; pod %s: %s", pod.Name, s.Message)
			}
		}
		for _, s := range pod.Status.ContainerStatuses {
			if w := s.State.Waiting; w != nil && w.Message != "" {
				reasons += fmt.Sprintf("; pod %s: %s: %s", pod.Name, w.Reason, w.Message)
			}
		}
	}
	return reasons
}

func (d *Doctor) ingress(ctx context.Context) (string, *finding) {
	config, err := d.Kube.CoreV1().ConfigMaps(servingNamespace).Get(ctx, "config-network", metav1.GetOptions{})
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	class := cmp.Or(config.Data["ingress-class"], "istio.ingress.networking.knative.dev, Knative's default")
	gateway, err := d.Serving.ServingV1().Routes(d.Namespace).Get(ctx, gatewayService, metav1.GetOptions{})
	if err != nil {
		return "", &finding{err.Error(), deploy}
	}
	ready := gateway.Status.GetCondition(servingv1.RouteConditionIngressReady)
	if ready != nil && !ready.IsTrue() {
		return "", &finding{fmt.Sprintf("class %s: %s %s", class, ready.Reason, ready.Message),
			"# install an ingress for Knative, https://knative.dev/docs/install, and name its class:\n" +
				"kubectl patch configmap -n knative-serving config-network --type merge " +
				`-p '{"data":{"ingress-class":"'"${INGRESS_CLASS:?such as kourier.ingress.networking.knative.dev}"'"}}'`}
	}
	return fmt.Sprintf("%s; the gateway is at %s", class, gateway.Status.URL), nil
}
