package detect_test

import (
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

var heldOutFolder = flag.String("heldout", "",
	"folder of held-out images and their scores by evaluate.py, reference.json; see make heldout")

// scores are the scores of a model, in the format of evaluate.py.
type scores struct {
	Map50   float64 `json:"map50"`
	Map     float64 `json:"map50_95"`
	Classes map[string]classScore
}

// TestDemoModel_scoresOnHeldOutImages scores the whole path from the bytes of the
// images to the boxes of the response. The mAP@0.5 must be at least 0.95, and the
// scores must be those of evaluate.py, which has its own decoder.
func TestDemoModel_scoresOnHeldOutImages(t *testing.T) {
	if *heldOutFolder == "" {
		t.Skip("no held-out images: run make heldout")
	}
	const minMAP, tolerance = 0.95, 0.01
	var reference struct{ All scores }
	text, err := os.ReadFile(filepath.Join(*heldOutFolder, "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &reference); err != nil {
		t.Fatal(err)
	}
	ours := scoreScenes(t, readScenes(t, *heldOutFolder))
	t.Log("                    AP@0.5       AP@0.5:0.95")
	t.Log("       objects   ours  Python    ours  Python")
	for _, name := range slices.Sorted(maps.Keys(ours.Classes)) {
		a, b := ours.Classes[name], reference.All.Classes[name]
		t.Logf("%-8s %5d  %.3f   %.3f   %.3f   %.3f", name, a.Objects, a.AP50, b.AP50, a.AP, b.AP)
	}
	t.Logf("mean            %.3f   %.3f   %.3f   %.3f", ours.Map50, reference.All.Map50, ours.Map, reference.All.Map)
	if ours.Map50 < minMAP {
		t.Errorf("mAP@0.5 is %.4f, want %g", ours.Map50, minMAP)
	}
	if math.Abs(ours.Map50-reference.All.Map50) > tolerance || math.Abs(ours.Map-reference.All.Map) > tolerance {
		t.Errorf("the scores differ from those of evaluate.py by more than %g", tolerance)
	}
}

// scoreScenes applies the processor to the scenes and scores the detections.
func scoreScenes(t *testing.T, scenes []scene) scores {
	p, found, names := demo(t), make([][]*imageflowv1.Detection, len(scenes)), map[int32]string{}
	for i, s := range scenes {
		found[i] = detectIn(t, p, s.data, &request{ConfidenceThreshold: 0.001}).GetDetections()
		for _, o := range s.Objects {
			names[o.ClassID] = o.ClassName
		}
	}
	all := scores{Classes: map[string]classScore{}}
	for class, name := range names {
		c := scoreClass(class, scenes, found)
		all.Classes[name] = c
		all.Map50 += c.AP50 / float64(len(names))
		all.Map += c.AP / float64(len(names))
	}
	return all
}
