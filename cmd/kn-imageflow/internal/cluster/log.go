package cluster

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// LogLine is a line of a log, with the time at which its node received it.
type LogLine struct {
	At   time.Time
	Text string
}

// maxLineBytes is the size of the longest line, such as the stack of a panic.
const maxLineBytes = 1 << 20

// ReadLog passes the lines of a container's log on. The options need Timestamps.
func (c *Clients) ReadLog(ctx context.Context, pod string, options *corev1.PodLogOptions, take func(LogLine)) error {
	stream, err := c.Kube.CoreV1().Pods(c.Namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return fmt.Errorf("log of pod %s: %w", pod, err)
	}
	defer stream.Close()
	scanner := bufio.NewScanner(stream)
	scanner.Buffer(nil, maxLineBytes)
	for scanner.Scan() {
		stamp, text, _ := strings.Cut(scanner.Text(), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			return fmt.Errorf("log of pod %s: a line without its time: %q", pod, scanner.Text())
		}
		take(LogLine{at, text})
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("log of pod %s: %w", pod, err)
	}
	return nil
}
