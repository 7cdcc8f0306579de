package cluster_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"knative.dev/serving/pkg/apis/serving"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// TestRunningPods: after a new revision, pods of the old one run on for a while. The new one is asked as soon as it is ready.
func TestRunningPods(t *testing.T) {
	pod := func(name string, age time.Duration, isReady bool) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "flow"}}
		p.Labels = map[string]string{serving.ServiceLabelKey: "a"}
		p.CreationTimestamp = metav1.NewTime(time.Now().Add(-age))
		p.Status.Phase = corev1.PodRunning
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Ready: true}, {Ready: isReady}}
		return p
	}
	client := fake.NewClientset(pod("a-1", time.Hour, true), pod("a-2", time.Minute, true), pod("a-3", time.Second, false))
	c := &cluster.Clients{Kube: client, Namespace: "flow"}
	pods, err := c.RunningPods(t.Context(), "a")
	if err != nil || len(pods) != 3 || pods[0].Name != "a-2" || pods[1].Name != "a-1" {
		t.Errorf("got %v, %v", err, pods)
	}
}
