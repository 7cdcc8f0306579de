// Package backfill runs imageflow run as a Job of a deployment.
package backfill

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// Name is the name of the Job and of its container. There is one at a time, as there is one run of a bucket at a time.
const Name = "backfill"

const (
	// bridge is the Service whose image, account and settings the Job has: they send events, too.
	bridge = "bridge"
	// keptFor is how long an ended Job and its log stay.
	keptFor = 24 * time.Hour
	// maxPods is the number of pods that may replace others, such as those that were out of memory.
	maxPods = 6
)

// NewJob returns a Job that runs the bridge's image with arguments.
func NewJob(ctx context.Context, c *cluster.Clients, arguments []string) (*batchv1.Job, error) {
	service, err := c.Serving.ServingV1().Services(c.Namespace).Get(ctx, bridge, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("the Service whose settings the run has: %w", err)
	}
	if len(service.Spec.Template.Spec.Containers) == 0 {
		return nil, fmt.Errorf("service %s has no container", bridge)
	}
	pod := service.Spec.Template.Spec.PodSpec.DeepCopy()
	container := pod.Containers[0]
	container.Name, container.Args = Name, arguments
	container.Ports, container.LivenessProbe, container.ReadinessProbe, container.StartupProbe = nil, nil, nil, nil
	pod.Containers, pod.RestartPolicy = []corev1.Container{container}, corev1.RestartPolicyNever
	labels := map[string]string{"app.kubernetes.io/part-of": "imageflow", cluster.ComponentLabel: Name}
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: Name, Namespace: c.Namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			BackoffLimit:            ptr.To(int32(maxPods)),
			TTLSecondsAfterFinished: ptr.To(int32(keptFor / time.Second)),
			PodFailurePolicy:        failurePolicy(),
			Template:                corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: *pod},
		},
	}, nil
}

// failurePolicy replaces a pod that the cluster has ended, and ends the Job when the command itself reports an error.
func failurePolicy() *batchv1.PodFailurePolicy {
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
		{Action: batchv1.PodFailurePolicyActionIgnore, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
			{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
		}},
		{Action: batchv1.PodFailurePolicyActionFailJob, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
			ContainerName: ptr.To(Name), Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{1},
		}},
	}}
}

// ErrActive means that a run has not ended.
var ErrActive = errors.New("a run is active")

// Start creates the Job, in place of one that has ended.
func Start(ctx context.Context, c *cluster.Clients, job *batchv1.Job) error {
	jobs := c.Kube.BatchV1().Jobs(c.Namespace)
	before, err := jobs.Get(ctx, Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return err
	case !hasEnded(before):
		return fmt.Errorf("%w: imageflow %s; see kn imageflow run follow, or end it with kn imageflow run stop", ErrActive,
			strings.Join(before.Spec.Template.Spec.Containers[0].Args, " "))
	default:
		if err := Stop(ctx, c); err != nil {
			return err
		}
	}
	_, err = jobs.Create(ctx, job, metav1.CreateOptions{})
	return err
}

// Stop deletes the Job and waits until its pods have ended. A run that had not ended can be continued.
func Stop(ctx context.Context, c *cluster.Clients) error {
	jobs := c.Kube.BatchV1().Jobs(c.Namespace)
	err := jobs.Delete(ctx, Name, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)})
	if apierrors.IsNotFound(err) {
		return errors.New("there is no run")
	}
	for err == nil {
		if _, err = jobs.Get(ctx, Name, metav1.GetOptions{}); err == nil {
			err = pause(ctx)
		}
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// hasEnded reports whether a Job is complete or has failed.
func hasEnded(job *batchv1.Job) bool {
	return is(job, batchv1.JobComplete) || is(job, batchv1.JobFailed)
}

func is(job *batchv1.Job, condition batchv1.JobConditionType) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == condition && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// pause waits a little before the cluster is asked again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(500 * time.Millisecond):
		return nil
	}
}
