package detect

import (
	"fmt"

	"imageflow.dev/internal/inference"
)

// The tasks of models, as the metadata of Ultralytics' exports has them.
const (
	detectTask  = "detect"
	segmentTask = "segment"
	poseTask    = "pose"
	obbTask     = "obb"

	classifyTask = "classify"
)

// isFor reports whether models of a task, or of an unknown one, may have the layout.
func (l *layout) isFor(task string) bool {
	switch task {
	case obbTask, classifyTask:
		return l.task == task
	case "":
		return l.task != obbTask
	}
	return l.task == ""
}

// findFurtherValues finds the number of values of each box after its classes: the coefficients of masks
// for the task segment, or keypoints for pose, as in Ultralytics' exports.
func (m *model) findFurtherValues(outputs []inference.Tensor) (err error) {
	metadata := m.Info().Metadata
	m.task = metadata["task"]
	switch m.task {
	case poseTask:
		m.keypoints, err = parseKeypointShape(metadata[keypointsKey])
		m.furtherValues = int64(m.keypoints.count * m.keypoints.values)
		return err
	case obbTask, classifyTask:
		return nil
	case "", detectTask, segmentTask:
		if len(outputs) == 2 && len(outputs[1].Shape) == 4 { // the prototypes of masks
			m.furtherValues = outputs[1].Shape[1]
		} else if m.task == segmentTask {
			return fmt.Errorf("its task is %q, but its %s has no prototypes of masks: export it again, or a model of the task detect",
				m.task, m.listOutputs(outputs))
		}
		return nil
	default:
		return fmt.Errorf("its task is %q, which is none of detect, segment, pose, obb and classify", m.task)
	}
}
