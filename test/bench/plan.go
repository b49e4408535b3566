package main

// plan is how much is measured.
type plan struct {
	// note is printed above the tables.
	note string
	// clients send at the same time, each over a connection of its own.
	clients int
	// costRounds is how often the CPU of each server is measured for each
	// review. The servers take turns, so that what else the machine does meets
	// them all.
	costRounds int
	// smallRequests and largeRequests are sent to a server in one round, by
	// the size of the review. textbookShare of them go to the textbook
	// webhook, which takes ten times as long for one.
	smallRequests, largeRequests int
	textbookShare                float64
	// starts is how often the time until ready is taken.
	starts int
	// growthRequests are sent between the two readings of resident memory.
	growthRequests int
	// throughputRounds is how often the Pods a second are measured, creates
	// the Pods of one round and way, a whole number of slices.
	throughputRounds, creates, slice int
}

// fullPlan takes about ten minutes on two cores.
func fullPlan() plan {
	return plan{
		note:             "long form",
		clients:          8,
		costRounds:       7,
		smallRequests:    4000,
		largeRequests:    1000,
		textbookShare:    0.2,
		starts:           7,
		growthRequests:   200_000,
		throughputRounds: 7,
		creates:          960,
		slice:            120,
	}
}

// shortPlan takes about half a minute: enough to see that every answer is right.
func shortPlan() plan {
	return plan{
		note:             "short form: the answers count, the figures are rough (make bench for good ones)",
		clients:          8,
		costRounds:       3,
		smallRequests:    600,
		largeRequests:    150,
		textbookShare:    0.2,
		starts:           2,
		growthRequests:   5000,
		throughputRounds: 1,
		creates:          160,
		slice:            80,
	}
}
