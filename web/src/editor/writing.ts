const MOST_FRAMES = 30; // a slow machine's; then it has no words, or is out of view

/** Puts the cursor into the card's text as soon as it is shown: React Flow measures a new card first, unseen. */
export function writeIn(nodeId: string, framesLeft = MOST_FRAMES): void {
  if (framesLeft === 0) return;
  requestAnimationFrame(() => {
    const field = document.querySelector<HTMLElement>(`.stage [data-id="${CSS.escape(nodeId)}"] .prompt__text`);
    if (field?.checkVisibility({ visibilityProperty: true })) field.focus({ preventScroll: true });
    else writeIn(nodeId, framesLeft - 1);
  });
}
