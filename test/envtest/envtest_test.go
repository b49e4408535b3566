package envtest

import (
	"testing"
)

// scene is one test in a world that others share.
type scene struct {
	t     *testing.T
	world *world
}

// TestBehindAnAPIServer starts one API server for all that is proved with it.
func TestBehindAnAPIServer(t *testing.T) {
	all := knownTo(serverMinor(t), golden(t))
	w := startWorld(t, all)
	for _, c := range all {
		t.Run("golden case "+c.Name, func(t *testing.T) {
			t.Parallel()
			if isRefused(c) {
				refusedByItself(scene{t, w}, c)
				return
			}
			throughTheAPIServer(scene{t, w}, c)
		})
	}
	for sentence, prove := range proofs() {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			prove(scene{t, w})
		})
	}
}

// proofs are what only an API server shows.
func proofs() map[string]func(scene) {
	return map[string]func(scene){
		"a container that a later webhook adds is rewritten too":          aContainerThatALaterWebhookAddsIsRewrittenToo,
		"a proxy that a later webhook adds undoes the rewrite":            aProxyThatALaterWebhookAddsUndoesTheRewrite,
		"a probe that a later webhook takes over stays its own":           aProbeThatALaterWebhookTakesOverStaysItsOwn,
		"a dry run shows the rewrite and stores nothing":                  aDryRunShowsTheRewriteAndStoresNothing,
		"a Pod with a generated name is rewritten":                        aPodWithAGeneratedNameIsRewritten,
		"a Pod of a ReplicaSet is rewritten without a warning":            aPodOfAReplicaSetIsRewrittenWithoutAWarning,
		"a native sidecar is rewritten":                                   aNativeSidecarIsRewritten,
		"a Pod from server-side apply is rewritten":                       aPodFromServerSideApplyIsRewritten,
		"a bare Pod applied a second time is refused, as warned":          aBarePodAppliedASecondTimeIsRefusedAsWarned,
		"a bare Pod that is skipped can be applied a second time":         aBarePodThatIsSkippedCanBeAppliedASecondTime,
		"an audited namespace only hears":                                 anAuditedNamespaceOnlyHears,
		"a Pod that opts out is not sent":                                 aPodThatOptsOutIsNotSent,
		"a namespace without the label is left alone":                     aNamespaceWithoutTheLabelIsLeftAlone,
		"excluded namespaces are left alone, whatever their label":        excludedNamespacesAreLeftAloneWhateverTheirLabel,
		"a namespace follows its label":                                   aNamespaceFollowsItsLabel,
		"a Pod without annotations, labels and probes is left alone":      aPodWithNothingInItIsLeftAlone,
		"a mirror Pod is left alone":                                      aMirrorPodIsLeftAlone,
		"a webhook that is down blocks no Pod":                            aWebhookThatIsDownBlocksNoPod,
		"a webhook that never answers blocks no Pod":                      aWebhookThatNeverAnswersBlocksNoPod,
		"a webhook with another certificate blocks no Pod":                aWebhookWithAnotherCertificateBlocksNoPod,
		"a large Pod is rewritten":                                        aLargePodIsRewritten,
		"the largest Pod is admitted as it is":                            theLargestPodIsAdmittedAsItIs,
		"a Pod with more probes than a status holds is admitted as it is": aPodWithMoreProbesThanAStatusHoldsIsAdmittedAsItIs,
		"the audit log tells what was done":                               theAuditLogTellsWhatWasDone,
	}
}
