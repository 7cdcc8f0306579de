package manifests_test

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	mebibyte = 1 << 20
	// baseBytes is the memory of a role at rest, with two jobs' memory other than pixels.
	baseBytes = 128 * mebibyte
	// bridgeBytes is the memory of the bridge: at rest, and twice maxBridgeBytes for bodies as they
	// arrive and as they are decoded.
	bridgeBytes = 64*mebibyte + 2*64*mebibyte
	// notifyBytes is the memory of notify: at rest, and twice maxNotifyBytes for bodies as they arrive and
	// as they are decoded, with a message made of each.
	notifyBytes = 64*mebibyte + 3*32*mebibyte
	// consoleBytes is the memory of the console: at rest, with what it remembers of executions, and the answers of
	// the gateway that it turns into pages.
	consoleBytes = 64*mebibyte + 3*32*mebibyte
	// modelBytes is the maximum memory of a model and its runs.
	modelBytes = 512 * mebibyte
	// messageBytes is the maximum size of a request without its image.
	messageBytes = mebibyte
	// bodyCopies is the number of copies of a body in memory: as it arrived, as a message, as the
	// gateway sends it on, and the answer.
	bodyCopies = 4
	// moreAnswers is the number of further answers in memory, of the largest size: one before encoding,
	// another that is written, before and after encoding, and two that wait.
	moreAnswers = 5
)

// TestMemoryFitsTheLimit: what a role takes at most, and what Go may leave before it
// collects, are within the memory limit of its container:
//
//	budget + fetched objects + bodies + base + model <= limit
//	budget + GOMEMLIMIT + base + model <= limit
//
// The second line has the budget as memory of libvips, which Go does not count.
func TestMemoryFitsTheLimit(t *testing.T) {
	each(t, func(t *testing.T, o object) {
		s := service(t, o)
		if s == nil || o.Metadata.Namespace != "image-processing" {
			return
		}
		c := s.Spec.Template.Spec.Containers[0]
		budget, live := memoryOf(t, c)
		garbage := resource.MustParse(strings.TrimSuffix(valueOf(t, c, "GOMEMLIMIT"), "B")) // Go's GiB is Kubernetes' Gi
		limit := c.Resources.Limits.Memory().Value()
		if live > limit {
			t.Errorf("%v takes up to %d MiB, its limit is %d", o, live/mebibyte, limit/mebibyte)
		}
		if most := budget + garbage.Value(); most > limit {
			t.Errorf("%v takes up to %d MiB with GOMEMLIMIT, its limit is %d", o, most/mebibyte, limit/mebibyte)
		}
	})
}

// memoryOf returns the maximum memory of a role, and the part of it outside Go.
func memoryOf(t *testing.T, c corev1.Container) (foreign, all int64) {
	t.Helper()
	switch role := c.Args[0]; role {
	case "bridge":
		return 0, bridgeBytes
	case "notify":
		return 0, notifyBytes
	case "console": // its images that arrive are at most twice MAX_OBJECT_BYTES
		return 0, consoleBytes + 2*2*bytesOf(t, c, "MAX_OBJECT_BYTES")
	case "gateway":
		return 0, baseBytes + (bodyCopies+moreAnswers)*bytesOf(t, c, "MAX_BODY_BYTES")
	default:
		foreign = bytesOf(t, c, "MAX_DECODED_BYTES") + baseBytes
		if role == "detect" {
			foreign += modelBytes
		}
		object := bytesOf(t, c, "MAX_OBJECT_BYTES")
		return foreign, foreign + number(t, c, "MAX_ACTIVE_JOBS")*object + (bodyCopies+moreAnswers)*(object+messageBytes)
	}
}

func bytesOf(t *testing.T, c corev1.Container, variable string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(valueOf(t, c, variable), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// helps holds the descriptions of the variables that the roles print.
var helps = map[string][]byte{}

// valueOf returns the value of a variable in a container: from the manifest, or the role's default.
func valueOf(t *testing.T, c corev1.Container, variable string) string {
	t.Helper()
	for _, e := range c.Env {
		if e.Name == variable {
			return e.Value
		}
	}
	role := c.Args[0]
	if helps[role] == nil {
		var err error
		if helps[role], err = exec.Command(command(t), role, "--help").Output(); err != nil {
			t.Fatal(err)
		}
	}
	found := regexp.MustCompile(`(?m)^  ` + variable + ` .*\(default (.*)\)$`).FindSubmatch(helps[role])
	if found == nil {
		t.Fatalf("%s has no default of %s", role, variable)
	}
	return string(found[1])
}
