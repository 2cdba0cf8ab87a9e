import { useEffect, useState } from "react";
import type { Usage } from "../client";
import { dollars } from "../nodes/offer";
import { http } from "../session";
import { sayError } from "../ui/toasts";
import { daysOf, dayWords, type Day } from "./words";

const HEIGHT = 64;
const STEP = 24;
const BAR = 16;
const COLOURS = 6;

/** What one's runs of the last two weeks cost, a bar a day, a colour a provider; the same in numbers below it. */
export function Costs() {
  const [rows, setRows] = useState<readonly Usage[] | null>(null);
  useEffect(() => {
    http.usage("provider,day").then(setRows, sayError);
  }, []);
  if (rows === null || rows.length === 0) return null;
  const days = daysOf(rows, new Date().toISOString().slice(0, 10));
  const providers = [...new Set(rows.map(({ provider }) => provider ?? ""))].sort();
  const total = days.reduce((sum, { usd }) => sum + usd, 0);
  const unknown = rows.reduce((sum, { unknownRuns }) => sum + unknownRuns, 0);
  return (
    <section className="costs" aria-labelledby="costs-title">
      <div className="costs__words">
        <h2 id="costs-title">{dollars(total)} in two weeks</h2>
        <p>{unknown === 0 ? "All of it known." : `Of ${unknown} ${unknown === 1 ? "run" : "runs"} the price is not known.`} Days are UTC.</p>
        <ul className="costs__legend">
          {providers.map((provider, place) => (
            <li key={provider}>
              <span className={`costs__dot costs__colour--${place % COLOURS}`} />
              {provider}
            </li>
          ))}
        </ul>
      </div>
      <Chart days={days} providers={providers} />
      <details className="costs__numbers">
        <summary>In numbers</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">Day</th>
              <th scope="col">Provider</th>
              <th scope="col">Runs</th>
              <th scope="col">Cost</th>
            </tr>
          </thead>
          <tbody>
            {days
              .flatMap(({ day, parts }) => parts.map((part) => ({ day, ...part })))
              .reverse()
              .map(({ day, provider, runs, usd }) => (
                <tr key={day + provider}>
                  <td>{dayWords(day)}</td>
                  <td>{provider}</td>
                  <td>{runs}</td>
                  <td>{dollars(usd)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </section>
  );
}

function Chart({ days, providers }: { days: readonly Day[]; providers: readonly string[] }) {
  const most = Math.max(...days.map(({ usd }) => usd));
  return (
    <svg className="costs__chart" viewBox={`0 0 ${days.length * STEP} ${HEIGHT + 16}`} aria-hidden="true">
      <line x1={0} x2={days.length * STEP} y1={HEIGHT + 0.5} y2={HEIGHT + 0.5} />
      {days.map((day, place) => (
        <Bar key={day.day} day={day} x={place * STEP + (STEP - BAR) / 2} most={most} providers={providers} />
      ))}
      {days.map(({ day }, place) => place % 4 === 1 && place < days.length - 1 && (
        <text key={day} x={place * STEP + STEP / 2} y={HEIGHT + 13} textAnchor="middle">
          {dayWords(day)}
        </text>
      ))}
    </svg>
  );
}

function Bar({ day, x, most, providers }: { day: Day; x: number; most: number; providers: readonly string[] }) {
  const heights = day.parts.map(({ usd }) => (most > 0 ? (usd / most) * (HEIGHT - 4) : 0));
  return (
    <g>
      <title>{`${dayWords(day.day)}: ${dollars(day.usd)}`}</title>
      {day.parts.length > 0 && day.usd === 0 && <rect className="costs__free" x={x} y={HEIGHT - 2} width={BAR} height={2} />}
      {day.parts.map(({ provider }, place) => {
        const below = heights.slice(0, place).reduce((sum, height) => sum + height, 0);
        const height = heights[place] ?? 0;
        return <rect key={provider} className={`costs__colour--${providers.indexOf(provider) % COLOURS}`} x={x} y={HEIGHT - below - height} width={BAR} height={height} />;
      })}
    </g>
  );
}
