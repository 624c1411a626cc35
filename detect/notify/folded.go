package notify

// Folded reports whether no attempt was made since the notification was counted in a
// summary.
func (a Attempt) Folded() bool { return a.Outcome == OutcomeDropped && a.Error == reasonFolded }
