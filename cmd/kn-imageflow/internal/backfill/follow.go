package backfill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// Follow writes the log of the Job until that has ended. It returns an error if the Job has failed.
func Follow(ctx context.Context, c *cluster.Clients, out io.Writer) error {
	f := &follower{Clients: c, out: out, read: map[string]time.Time{}}
	for {
		job, err := c.Kube.BatchV1().Jobs(c.Namespace).Get(ctx, Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) && f.seen:
			return errors.New("the run was stopped; the same command continues it")
		case apierrors.IsNotFound(err):
			return errors.New("there is no run")
		case err == nil:
			f.seen = true
			err = f.follow(ctx, job)
		}
		switch {
		case ctx.Err() != nil:
			return errors.New("the run goes on: see kn imageflow run follow and kn imageflow run stop")
		case err != nil:
			return err
		case is(job, batchv1.JobFailed):
			return failureOf(job)
		case is(job, batchv1.JobComplete):
			return nil
		}
		_ = pause(ctx)
	}
}

// failureOf returns why a Job has failed.
func failureOf(job *batchv1.Job) error {
	for _, c := range job.Status.Conditions {
		if c.Type == batchv1.JobFailed && c.Reason != batchv1.JobReasonPodFailurePolicy {
			return fmt.Errorf("the run has failed: %s: %s", c.Reason, c.Message)
		}
	}
	return errors.New("the run has failed, as its last line says")
}

// follower writes the logs of a Job's pods.
type follower struct {
	*cluster.Clients
	out  io.Writer
	seen bool // the Job
	// read is the time of the last line of each pod that was written.
	read map[string]time.Time
	// waits is why the last pod has not started.
	waits string
}

// follow writes what is new in the logs of the Job's pods, in the order of their creation, until they end.
func (f *follower) follow(ctx context.Context, job *batchv1.Job) error {
	pods, err := f.Kube.CoreV1().Pods(f.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: batchv1.ControllerUidLabel + "=" + string(job.UID),
	})
	if err != nil {
		return err
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodPending {
			f.sayWaits(pod)
		} else if err := f.copy(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

// sayWaits says why a pod has not started, once.
func (f *follower) sayWaits(pod corev1.Pod) {
	why := ""
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			why = c.Reason + ": " + c.Message
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Message != "" {
			why = w.Reason + ": " + w.Message
		}
	}
	if why != "" && why != f.waits {
		fmt.Fprintf(f.out, "pod %s waits: %s\n", pod.Name, why)
	}
	f.waits = why
}

// copy writes the lines of a pod's log after the last one that was written, until the log ends.
func (f *follower) copy(ctx context.Context, pod corev1.Pod) error {
	last := f.read[pod.Name]
	options := &corev1.PodLogOptions{Container: Name, Follow: true, Timestamps: true}
	if !last.IsZero() {
		options.SinceTime = &metav1.Time{Time: last} // in seconds
	}
	err := f.ReadLog(ctx, pod.Name, options, func(l cluster.LogLine) {
		if l.At.After(last) {
			fmt.Fprintln(f.out, l.Text)
			f.read[pod.Name] = l.At
		}
	})
	if apierrors.IsNotFound(err) { // the pod has just been deleted
		return nil
	}
	return err
}
