// What the committed dashboards are made of, in the words of @grafana/schema.
import type * as dashboard from '@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as heatmap from '@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen';
import type * as stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as stateTimeline from '@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as timeseries from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

// What is left out takes Grafana's default.
type Sparse<T> = T extends (infer U)[] ? Sparse<U>[] : T extends object ? { [K in keyof T]?: Sparse<T[K]> } : T;

export type Whole = dashboard.Dashboard;
export type HeatmapOptions = Sparse<heatmap.Options>;
export type HeatmapCustom = Sparse<heatmap.FieldConfig>;
export type StatOptions = Sparse<stat.Options>;
export type StateTimelineOptions = Sparse<stateTimeline.Options>;
export type StateTimelineCustom = Sparse<stateTimeline.FieldConfig>;
export type TableOptions = Sparse<table.Options>;
export type TableCustom = Sparse<table.FieldConfig>;
export type TimeseriesOptions = Sparse<timeseries.Options>;
export type TimeseriesCustom = Sparse<timeseries.FieldConfig>;

export interface Pack {
  dashboard: Whole;
  heatmap: { options: HeatmapOptions; custom: HeatmapCustom };
  stat: { options: StatOptions };
  "state-timeline": { options: StateTimelineOptions; custom: StateTimelineCustom };
  table: { options: TableOptions; custom: TableCustom };
  timeseries: { options: TimeseriesOptions; custom: TimeseriesCustom };
}
