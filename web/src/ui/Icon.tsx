const PATHS = {
  back: "M15 5l-7 7 7 7",
  plus: "M12 5v14M5 12h14",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  frame: "M4 9V5h4M20 9V5h-4M4 15v4h4M20 15v4h-4",
  link: "M10 14a4 4 0 005.7 0l3-3a4 4 0 00-5.7-5.7l-1 1M14 10a4 4 0 00-5.7 0l-3 3a4 4 0 005.7 5.7l1-1",
  keyboard: "M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8",
  close: "M6 6l12 12M18 6L6 18",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  pencil: "M4 20l1-4L16 5l3 3L8 19z",
  upload: "M12 16V5M7 10l5-5 5 5M5 19h14",
  sparkle: "M12 4l1.8 5.2L19 11l-5.2 1.8L12 18l-1.8-5.2L5 11l5.2-1.8z",
  retry: "M20 11a8 8 0 10-2.3 5.7M20 5v6h-6",
  undo: "M9 6L5 10l4 4M5 10h9a5 5 0 010 10h-3",
  redo: "M15 6l4 4-4 4M19 10h-9a5 5 0 000 10h3",
  stop: "M7 7h10v10H7z",
  eye: "M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6zM12 9.5a2.5 2.5 0 100 5 2.5 2.5 0 000-5z",
  previous: "M14 6l-6 6 6 6",
  next: "M10 6l6 6-6 6",
  star: "M12 4l2.5 5.1 5.6.8-4 4 .9 5.6-5-2.7-5 2.7.9-5.6-4-4 5.6-.8z",
  download: "M12 4v11M7 10l5 5 5-5M5 19h14",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5l4.5 4.5L19 7.5",
  search: "M11 5a6 6 0 100 12 6 6 0 000-12zM20 20l-4.7-4.7",
  gallery: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  people: "M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.5a3.5 3.5 0 010 6.5M17.5 14.3c2.4.7 4 2.7 4 5.7",
  box: "M5 5h14v14H5z",
  note: "M5 4h14v11l-5 5H5zM14 20v-5h5M8.5 9h7M8.5 13h3",
  group: "M4 4h16v16H4zM8 8h4v4H8zM13.5 13.5h2.5v2.5h-2.5z",
  paste: "M8 5H5v15h14V5h-3M9 3h6v4H9zM9 12h6M9 16h4",
  history: "M4 12a8 8 0 108-8 8.6 8.6 0 00-6.3 2.8L4 8.5M4 4v4.5h4.5M12 8v4.5l3 1.8",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  bell: "M6 17V11a6 6 0 0112 0v6l1.5 2h-15zM10.5 21h3",
  "sign-out": "M14 4H5v16h9M10 12h10M16.5 8.5L20 12l-3.5 3.5",
  result: "M4 5h16v11H4zM8 20h8M12 16v4",
  "align-left": "M4 4v16M8 7h12v4H8zM8 14h7v4H8z",
  "align-center": "M12 4v16M6 7h12v4H6zM8.5 14h7v4h-7z",
  "align-right": "M20 4v16M4 7h12v4H4zM9 14h7v4H9z",
  "align-top": "M4 4h16M7 8v12h4V8zM14 8v7h4V8z",
  "align-middle": "M4 12h16M7 6v12h4V6zM14 8.5v7h4v-7z",
  "align-bottom": "M4 20h16M7 4v12h4V4zM14 9v7h4V9z",
  "spread-across": "M4 4v16M20 4v16M10 8v8h4V8z",
  "spread-down": "M4 4h16M4 20h16M8 10h8v4H8z",
  sliders: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  columns: "M4 5h7v14H4zM13 5h7v14h-7z",
  "zoom-in": "M11 5a6 6 0 100 12 6 6 0 000-12zM20 20l-4.7-4.7M8.5 11h5M11 8.5v5",
  alert: "M12 8v5M12 16.5h.01M12 3l9.5 17h-19z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
