package imaging

import (
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The integer resampler gives the same bytes on every CPU, and those of sums of doubles.
func TestIntegerResample(t *testing.T) {
	native := runResampler(t, "gcc", nil)
	t.Run("arm64", func(t *testing.T) {
		if testing.Short() {
			t.Skip("emulates a CPU: make test")
		}
		if arm := runResampler(t, "aarch64-linux-gnu-gcc", []string{"qemu-aarch64"}); arm != native {
			t.Errorf("digest %s on arm64, %s here", arm, native)
		}
	})
}

// runResampler compiles testdata/resample8.c and returns its digest of many outputs.
func runResampler(t *testing.T, compiler string, emulator []string) string {
	t.Helper()
	for _, tool := range append([]string{compiler}, emulator...) {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("skipped: ", err)
		}
	}
	program := filepath.Join(t.TempDir(), "resample8")
	build := exec.CommandContext(t.Context(), compiler, "-O3", "-static", "-Wall", "-Wextra", "-Werror",
		"testdata/resample8.c", "-o", program, "-lm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	command := append(emulator, program)
	run := exec.CommandContext(t.Context(), command[0], command[1:]...)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// Weights in fixed point sum to exactly 1 and are close to the weights they are made from.
func TestFixedWeights(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n, outputs := 1+random.IntN(3000), 1+random.IntN(300)
		scale := float64(n) / float64(outputs)
		for name, w := range map[string]*weights{
			"lanczos3":   lanczos3.computeWeights(n, outputs, scale, max(1, scale), clamp),
			"catmullRom": catmullRom.computeWeights(n, outputs, scale, max(1, scale), clamp),
			"gaussian":   gaussian.computeWeights(n, outputs, scale, max(0.3, scale), reflect),
		} {
			checkFixed(t, name, w, n)
		}
	}
}

func checkFixed(t *testing.T, name string, w *weights, n int) {
	t.Helper()
	const one = 1 << 14
	f := w.fixed()
	for i, first := range f.first {
		if first < 0 || int(first)+f.count > n || i > 0 && first < f.first[i-1] {
			t.Fatalf("%s: %d inputs from %d of %d on for output %d", name, f.count, first, n, i)
		}
		exact := map[int]float64{}
		for j, v := range w.values[i*w.count:][:w.count] {
			exact[int(w.first[i])+j] = float64(v) * one
		}
		sum := 0
		for j, v := range f.values[i*f.count:][:f.count] {
			sum += int(v)
			exact[int(first)+j] -= float64(v)
		}
		for at, off := range exact {
			if off > 1.01 || off < -1.01 {
				t.Fatalf("%s: the weight of input %d for output %d is off by %f", name, at, i, off)
			}
		}
		if sum != one {
			t.Fatalf("%s: the weights of output %d sum to %d", name, i, sum)
		}
	}
}

// Weights that copy each input take one input each.
func TestFixedIdentity(t *testing.T) {
	if f := lanczos3.computeWeights(100, 100, 1, 1, clamp).fixed(); f.count != 1 || f.first[99] != 99 {
		t.Errorf("%d weights per output, the last from %d on", f.count, f.first[99])
	}
}
