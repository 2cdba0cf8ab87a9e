/** A small drawing of a canvas, the same for the same workflow, so that a list of them can be told apart. */
export function CanvasGlyph({ seed }: { seed: string }) {
  const pick = numbersFrom(seed);
  const hue = pick(360);
  const cards = [0, 1, 2].map((column) => ({ x: 34 + column * 78, y: 26 + pick(46), tall: 40 + pick(24) }));
  return (
    <svg className="glyph" viewBox="0 0 280 140" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
      {cards.slice(1).map((card, index) => {
        const from = cards[index] ?? card;
        const [x, y] = [from.x + 56, from.y + from.tall / 2];
        const to = card.y + card.tall / 2;
        return <path key={card.x} className="glyph__edge" d={`M${x} ${y}C${x + 14} ${y} ${card.x - 14} ${to} ${card.x} ${to}`} />;
      })}
      {cards.map((card, index) => (
        <g key={card.x}>
          <rect className="glyph__card" x={card.x} y={card.y} width="56" height={card.tall} rx="7" />
          <rect
            x={card.x + 5}
            y={card.y + 5}
            width="46"
            height={card.tall - 18}
            rx="4"
            fill={`hsl(${(hue + index * 38) % 360} 62% 66%)`}
          />
        </g>
      ))}
    </svg>
  );
}

function numbersFrom(seed: string): (below: number) => number {
  let state = Array.from(seed).reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}
